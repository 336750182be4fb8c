// Command leeway-sidecar stands in front of a model server: it forwards every connection untouched, and exports latency, errors, and what values go in and come out.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/leeway-dev/leeway/sidecar"
)

func main() {
	cmd := command(os.LookupEnv, run)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "leeway-sidecar:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, o options) error {
	level, err := zapcore.ParseLevel(o.logLevel)
	if err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	cfg := zap.NewProductionConfig()
	cfg.Level.SetLevel(level)
	cfg.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	log, err := cfg.Build()
	if err != nil {
		return err
	}
	defer log.Sync()
	limitMemory(o.CaptureBudget)
	o.Log = log
	if o.profile != "" {
		if o.Profile, err = os.ReadFile(o.profile); err != nil {
			return fmt.Errorf("--profile: %w", err)
		}
	}
	s, err := sidecar.New(o.Config)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// limitMemory keeps the heap small, unless the user has said otherwise: little is allocated for a request, so collecting early costs next to nothing,
// and the limit is a stop for the worst case, in which captured bodies fill their budget.
func limitMemory(budget int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(10)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(20<<20 + 2*budget)
	}
}
