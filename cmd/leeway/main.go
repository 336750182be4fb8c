// Command leeway keeps and asks the registry of models, renders the rules, and
// explains what Leeway decided. Named kubectl-leeway on the PATH it is
// "kubectl leeway".
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how long an interrupted command may take to stop: one that waits
// for standard input does not notice.
const patience = 2 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // a second Ctrl-C ends it at once
		time.Sleep(patience)
		fmt.Fprintln(os.Stderr, interrupted)
		os.Exit(exitInterrupted)
	})
	code := run(ctx, os.Args, system{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv})
	os.Exit(code)
}
