// Command flights is the example's model server and its trainer.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/examples/flights/bucket"
	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/model"
	"github.com/leeway-dev/leeway/examples/flights/retrain"
	"github.com/leeway-dev/leeway/examples/flights/serve"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{Use: "flights", Short: "Predict how long a flight from New York is in the air",
		SilenceUsage: true}
	root.AddCommand(serveCommand(), seasonCommand(), retrainCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}

func serveCommand() *cobra.Command {
	listen := ""
	cmd := &cobra.Command{Use: "serve", Short: "Serve the model that MODEL_URI names (V2 REST)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := load(cmd.Context(), os.Getenv("MODEL_URI"))
			if err != nil {
				return err
			}
			m, err := model.Parse(b)
			if err != nil {
				return err
			}
			return serve.Run(cmd.Context(), listen, serve.Handler(m, "flights", os.Getenv("MODEL_VERSION")))
		}}
	cmd.Flags().StringVar(&listen, "listen", ":8080", "address")
	return cmd
}

func load(ctx context.Context, uri string) ([]byte, error) {
	if uri == "" {
		return nil, fmt.Errorf("MODEL_URI is not set")
	}
	if filepath.IsAbs(uri) {
		return os.ReadFile(uri)
	}
	store, err := bucket.New(ctx)
	if err != nil {
		return nil, err
	}
	return store.Get(ctx, uri)
}

func seasonCommand() *cobra.Command {
	return &cobra.Command{Use: "season winter|summer|autumn DIR", Short: "Train on a season: model.json and train.csv in DIR",
		Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			season, ok := map[string]data.Season{"winter": data.Winter, "summer": data.Summer, "autumn": data.Autumn}[args[0]]
			if !ok {
				return fmt.Errorf("no season %q", args[0])
			}
			flights, err := data.Load()
			if err != nil {
				return err
			}
			rows, held := season.Split(flights, 1)
			v, err := retrain.Train(rows, held, filepath.Join(args[1], "train.csv"))
			if err != nil {
				return err
			}
			fmt.Printf("mae=%.6f\n", v.MAE)
			return os.WriteFile(filepath.Join(args[1], "model.json"), v.Artifact, 0o644)
		}}
}

func retrainCommand() *cobra.Command {
	return &cobra.Command{Use: "retrain", Short: "Train on today's labelled rows and register: the Job that Leeway starts",
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			j, err := retrain.FromEnv(os.Getenv)
			if err != nil {
				return err
			}
			j.Store, j.CLI, j.Dir = "kube:", "/leeway", "/tmp"
			j.Log = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
			return j.Run(cmd.Context())
		}}
}
