// Command demo shows Leeway at its main job, on a real cluster that it brings
// up itself: the year 2013 at New York's airports, in minutes.
//
// It plays seven scenarios, checks each, and exits non-zero when one fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.BoolVar(&o.keep, "keep", false, "leave the cluster up, and say how to look around")
	flag.BoolVar(&o.down, "down", false, "take down what an earlier demo left, and nothing else")
	flag.StringVar(&o.tools, "tools", "build/tools", "folder of the programs cluster and images")
	flag.StringVar(&o.bin, "bin", "bin", "folder of the program leeway")
	flag.StringVar(&o.out, "out", "build/demo", "folder of report.json and what the demo makes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

type options struct {
	keep, down      bool
	tools, bin, out string
}

// errFailed says that a scenario failed; the report says which and why.
var errFailed = errors.New("not every scenario passed")

func run(ctx context.Context, o options) (err error) {
	for _, dir := range []*string{&o.tools, &o.bin, &o.out} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return err
		}
	}
	d := &demo{options: o, started: time.Now()}
	if o.down {
		return d.takeDown(ctx)
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	defer func() {
		if !o.keep {
			err = errors.Join(err, d.takeDown(context.WithoutCancel(ctx)))
		} else if d.kube != nil {
			d.lookAround()
		}
	}()
	if err := d.setUp(ctx); err != nil {
		return err
	}
	return d.play(ctx)
}
