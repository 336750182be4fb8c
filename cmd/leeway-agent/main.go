// Command leeway-agent is both roles of Leeway's agent: on every node it finds
// and scrapes the sidecars, and as one of two controllers it keeps the samples,
// evaluates the rules, decides and acts.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/leeway-dev/leeway/agent"
	"github.com/leeway-dev/leeway/agent/node"
	"github.com/leeway-dev/leeway/agent/retrain/github"
	"github.com/leeway-dev/leeway/registry/artifact"
	"github.com/leeway-dev/leeway/registry/mlflow"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "leeway-agent:", err)
		os.Exit(1)
	}
}

// flags of both roles. Each is also read from the environment: --data-dir from
// LEEWAY_DATA_DIR.
type flags struct {
	role, listen, dataDir, tokenFile, logLevel string
	node, pod, namespace                       string
	controllers                                []string
	scrapeInterval                             time.Duration
	prometheus                                 prometheusFlags

	// controller only
	rules, registry               string
	artifactAllow                 []string
	alertmanagers                 []string
	decideInterval, leaseDuration time.Duration
	externalURL, githubURL        string
}

func command() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "leeway-agent --role=node|controller",
		Short: "Watch model servers, and put right what goes wrong",
		Long: `leeway-agent is both roles of Leeway's agent.

  --role=node        on every node: finds the model pods, scrapes their sidecars,
                     buffers for two hours, pushes to both controllers
  --role=controller  two replicas: keep the samples and evaluate the rules;
                     the one that holds the Lease decides and acts

With --prometheus-url, on both, a Prometheus that is there already scrapes the
sidecars and evaluates the rules. The controllers ask it, and decide; the agents
on the nodes do no more than bring the sidecars their references.

Every flag can also be set in the environment: --data-dir as LEEWAY_DATA_DIR.`,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			return run(cmd.Context(), f)
		},
	}
	v := cmd.Flags()
	v.SortFlags = false
	v.StringVar(&f.role, "role", "", "node or controller")
	v.StringVar(&f.listen, "listen", ":9096", "address of the API, of probes and metrics")
	v.StringVar(&f.dataDir, "data-dir", "/data", "folder of the samples (controller) or of the buffer (node)")
	v.StringSliceVar(&f.controllers, "controllers", nil, "URLs of all controller replicas, http://NAME.SERVICE.NAMESPACE.svc:9096")
	v.StringVar(&f.tokenFile, "token-file", "/var/run/secrets/leeway/token", "service-account token with the audience leeway")
	v.StringVar(&f.node, "node", "", "name of this node")
	v.StringVar(&f.pod, "pod", "", "name of this pod")
	v.StringVar(&f.namespace, "namespace", "leeway-system", "namespace of this pod")
	v.DurationVar(&f.scrapeInterval, "scrape-interval", 15*time.Second, "how often the sidecars are scraped")
	v.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	f.prometheus.add(v)
	v.StringVar(&f.rules, "rules", "", "controller: folder of rule files (default: the rules that ship with Leeway)")
	v.StringVar(&f.registry, "registry", "kube:{namespace}", "controller: the registry, kube:NAMESPACE, s3://BUCKET/PREFIX or dir:PATH; {namespace} is the guard's")
	v.StringSliceVar(&f.artifactAllow, "artifact-allow", []string{"s3://*", "image:*"},
		"controller: artifacts that it reads before a rollback: s3://BUCKET/PREFIX*, file:///PATH/*; image:HOST/REPOSITORY* is looked for at HOST, image:* is taken by its pin")
	v.StringSliceVar(&f.alertmanagers, "alertmanager-url", nil, "controller: Alertmanagers that get the firing alerts")
	v.StringVar(&f.externalURL, "external-url", "", "controller: where people reach this API, for links in alerts")
	v.StringVar(&f.githubURL, "github-url", github.DefaultURL, "controller: REST API of the GitHub that guards train on; https://HOST/api/v3 for an Enterprise Server")
	v.DurationVar(&f.decideInterval, "decide-interval", 5*time.Second, "controller: how often every guard is looked at")
	v.DurationVar(&f.leaseDuration, "lease-duration", 15*time.Second, "controller: how long a silent leader keeps the Lease")
	return cmd
}

// fromEnvironment sets the flags that the command line leaves out.
func fromEnvironment(set *pflag.FlagSet) (err error) {
	set.VisitAll(func(f *pflag.Flag) {
		name := "LEEWAY_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := os.LookupEnv(name); ok && !f.Changed && err == nil {
			if e := set.Set(f.Name, value); e != nil {
				err = fmt.Errorf("%s: %w", name, e)
			}
		}
	})
	return err
}

func run(ctx context.Context, f flags) error {
	level, err := zapcore.ParseLevel(f.logLevel)
	if err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	config := zap.NewProductionConfig()
	config.Level = zap.NewAtomicLevelAt(level)
	config.EncoderConfig.EncodeTime = zapcore.ISO8601TimeEncoder
	log, err := config.Build()
	if err != nil {
		return err
	}
	controllers, err := parseControllers(f.controllers)
	if err != nil {
		return err
	}
	kube, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("no Kubernetes to talk to: %w", err)
	}
	prometheus, err := f.prometheus.config()
	if err != nil {
		return err
	}
	if _, err := github.ParseURL(f.githubURL); err != nil {
		return fmt.Errorf("--github-url: %w", err)
	}
	switch f.role {
	case "node":
		return agent.RunNode(ctx, agent.NodeConfig{
			Listen: f.listen, Node: f.node, Pod: f.pod, DataDir: f.dataDir, Controllers: controllers,
			TokenFile: f.tokenFile, ScrapeInterval: f.scrapeInterval, ReferencesOnly: prometheus != nil, Kubernetes: kube, Logger: log,
		})
	case "controller":
		allow, err := artifact.ParseAllow(f.artifactAllow)
		if err != nil {
			return fmt.Errorf("--artifact-allow: %w", err)
		}
		return agent.RunController(ctx, agent.ControllerConfig{
			Listen: f.listen, Node: f.node, Pod: f.pod, Namespace: f.namespace, DataDir: f.dataDir, RulesDir: f.rules,
			Controllers: controllers, TokenFile: f.tokenFile, Registry: f.registry, MLflow: mlflow.FromEnvironment(os.Getenv), ArtifactAllow: allow,
			Prometheus: prometheus, AlertmanagerURLs: f.alertmanagers,
			ExternalURL: f.externalURL, GitHubURL: f.githubURL, ScrapeInterval: f.scrapeInterval, DecideInterval: f.decideInterval,
			LeaseDuration: f.leaseDuration, Kubernetes: kube, Logger: log,
		})
	}
	return errors.New("--role must be node or controller")
}

// parseControllers names each replica by the first part of its host, which for
// a StatefulSet is the pod's name and never changes.
func parseControllers(urls []string) ([]node.Controller, error) {
	var controllers []node.Controller
	for _, u := range urls {
		_, host, ok := strings.Cut(u, "://")
		name, _, _ := strings.Cut(host, ".")
		name, _, _ = strings.Cut(name, ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("--controllers: %q is not a URL such as http://leeway-controller-0.leeway-controller.leeway-system.svc:9096", u)
		}
		controllers = append(controllers, node.Controller{Name: name, URL: strings.TrimSuffix(u, "/")})
	}
	return controllers, nil
}
