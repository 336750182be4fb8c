package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/leeway-dev/leeway/e2e/archive"
	"github.com/leeway-dev/leeway/e2e/debian"
)

// patience is how long any one part may take to become ready.
const patience = 2 * time.Minute

// Up starts a cluster and waits until it is ready, DNS included. What an earlier
// one left in the same folder, whole or broken, goes first. Each step is
// reported on progress, a line with the seconds so far. If Up fails or is killed,
// Down clears away what there is of it.
func Up(ctx context.Context, o Options, progress io.Writer) (*Cluster, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := Preflight(ctx); err != nil {
		return nil, err
	}
	if err := Down(o.Dir); err != nil {
		return nil, fmt.Errorf("clear away the cluster before: %w", err)
	}
	c := &Cluster{o}
	if err := write(c.owner(), fmt.Sprintf("%d %s\n", os.Getpid(), born(os.Getpid()))); err != nil {
		return nil, err
	}
	defer os.Remove(c.owner())
	start := time.Now()
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"Debian packages", func(ctx context.Context) error { return debian.Install(ctx, debian.Cluster()) }},
		{"programs", c.build},
		{"machines started", c.boot},
		{"containerd", c.containerd},
		{"API server", c.until("get", "--raw=/readyz")},
		{"add-ons", c.until("apply", "-f", c.etc(0, "addons.yaml"), "-f", c.etc(0, "volumes.yaml"))},
		{"last node registered", c.until("get", "node", c.NodeName(o.Nodes))},
		{"service accounts", c.until("get", "serviceaccount", "default")},
		{"nodes ready", c.until("wait", "--for=condition=Ready", "--timeout=2m", "node", "--all")},
		{"cluster DNS", func(ctx context.Context) error { return await(ctx, c.resolves) }},
	} {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w (the parts' logs are in %s)", step.what, err, c.run("machine-*/log"))
		}
		fmt.Fprintf(progress, "%6.1fs %s\n", time.Since(start).Seconds(), step.what)
	}
	return c, nil
}

// boot puts the cluster on record, then starts its machines.
func (c *Cluster) boot(context.Context) error {
	b, err := json.Marshal(c.o)
	if err != nil {
		return err
	}
	if err := write(c.record(), b); err != nil {
		return err
	}
	if err := c.writePKI(time.Now()); err != nil {
		return err
	}
	if err := c.plug(); err != nil {
		return err
	}
	for n := 0; n <= c.o.Nodes; n++ {
		if err := errors.Join(c.configure(n), c.start(n)); err != nil {
			return err
		}
	}
	return nil
}

// containerd waits for every node's containerd and gives it the pause image.
func (c *Cluster) containerd(ctx context.Context) error {
	for n := 1; n <= c.o.Nodes; n++ {
		if err := await(ctx, func(ctx context.Context) error {
			return c.nodeCommand(ctx, n, "ctr", "version").Run()
		}); err != nil {
			return err
		}
	}
	tar := c.run("pause.tar")
	if err := (archive.Image{Name: "docker.io/local/pause:dev", Program: c.bin("pause"), User: 65532}).Write(tar); err != nil {
		return err
	}
	return c.LoadImage(ctx, tar)
}

// until is a step that repeats a kubectl call until it succeeds.
func (c *Cluster) until(args ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return await(ctx, func(ctx context.Context) error {
			_, err := c.Kubectl(ctx, args...)
			return err
		})
	}
}

// await tries until there is no error, for as long as its patience lasts.
func await(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // and not that it was interrupted
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), last)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// resolves asks the cluster's DNS at its Service address, and so tries node 1's
// kube-proxy as well.
func (c *Cluster) resolves(ctx context.Context) error {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", c.o.ServiceNet+".0.10:53")
	}}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := r.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
	return err
}
