// Command cluster starts and stops the test cluster, and reaches into it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/leeway-dev/leeway/e2e/cluster"
)

const usage = `usage: cluster [--dir DIR] COMMAND

  preflight               say what is missing on this machine
  up [--nodes N] [...]    start a cluster and wait until it is ready
  down                    stop it and remove all but the built programs
  kubectl ARGS...         as the administrator
  kubeconfig              the path of the administrator's kubeconfig
  audit-log               the path of the API server's audit log
  load-image TAR...       docker or OCI archives, into every node
  node stop|start N       pull a machine's plug; boot it again (0 is the control plane)
  node run N ARGS...      run a command with a machine's files and network
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	dir := flag.String("dir", "", "folder of the cluster's files")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	err := run(ctx, *dir, flag.Arg(0), flag.Args()[1:])
	var code exitCode
	if errors.As(err, &code) {
		os.Exit(int(code))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// run runs the commands that need no cluster.
func run(ctx context.Context, dir, command string, args []string) error {
	switch command {
	case "preflight":
		return cluster.Preflight(ctx)
	case "up":
		return up(ctx, dir, args)
	case "down":
		return cluster.Down(dir)
	}
	c, err := cluster.Open(dir)
	if err != nil {
		return err
	}
	return inside(ctx, c, command, args)
}

func up(ctx context.Context, dir string, args []string) error {
	o := cluster.Options{Dir: dir}
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	flags.IntVar(&o.Nodes, "nodes", 2, "nodes, besides the control plane")
	flags.StringVar(&o.NodeNet, "node-net", "10.89.0", "first three bytes of the machines' addresses")
	flags.StringVar(&o.PodNet, "pod-net", "10.88", "first two bytes of the pods' addresses")
	flags.StringVar(&o.ServiceNet, "service-net", "10.96", "first two bytes of the Services' addresses")
	flags.IntVar(&o.Port, "port", 6443, "of the API server")
	flags.DurationVar(&o.PodGrace, "pod-grace", 5*time.Minute, "until pods leave a dead node")
	flags.Parse(args)
	_, err := cluster.Up(ctx, o, os.Stdout)
	return err
}

// inside runs the commands that need a cluster.
func inside(ctx context.Context, c *cluster.Cluster, command string, args []string) error {
	switch command {
	case "kubectl":
		return attached(c.KubectlCommand(ctx, args...))
	case "kubeconfig":
		fmt.Println(c.Kubeconfig())
	case "audit-log":
		fmt.Println(c.AuditLog())
	case "load-image":
		for _, tar := range args {
			if err := c.LoadImage(ctx, tar); err != nil {
				return err
			}
		}
	case "node":
		return node(c, args)
	default:
		return fmt.Errorf("unknown command %q\n%s", command, usage)
	}
	return nil
}

func node(c *cluster.Cluster, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("want a verb and the number of a machine\n%s", usage)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("machine %q: want its number", args[1])
	}
	switch args[0] {
	case "stop":
		return c.NodeStop(n)
	case "start":
		return c.NodeStart(n)
	case "run":
		return attached(c.NodeCommand(n, args[2:]...))
	}
	return fmt.Errorf("unknown verb %q\n%s", args[0], usage)
}

// exitCode is the failure of a command that has itself said what was wrong.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// attached runs a command on this one's terminal.
func attached(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exitCode(exit.ExitCode())
	}
	return err
}
