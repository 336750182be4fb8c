package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/examples/flights/bucket"
	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/replay"
)

// demo is the stage: a cluster with Leeway, the model server, and traffic.
type demo struct {
	options
	started time.Time

	kubeconfig string
	kube       client.Client
	clients    kubernetes.Interface
	store      *bucket.Client
	leewayURL  string // of the controllers' API
	s3         map[string]string
	replay     *replay.Replay
	rows       rows
	versions   map[string]release
	watch      watcher
	memory     *memory
	report     report
}

// rows of the year, as they are sent.
type rows struct {
	winter, summerFirst, summerThen, december []data.Flight
}

// release is a registered version, ready to be deployed.
type release struct{ number, uri, digest string }

const (
	namespace = "flights"
	system    = "leeway-system"
)

// say tells what happens, with the time since the start.
func (d *demo) say(format string, args ...any) {
	fmt.Printf("%7.1fs  %s\n", time.Since(d.started).Seconds(), fmt.Sprintf(format, args...))
}

// setUp brings everything up to a healthy winter.
func (d *demo) setUp(ctx context.Context) error {
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"Images built from the Dockerfiles, and a Kubernetes with two nodes", d.upCluster},
		{"Leeway installed: two controllers, an agent on each node", d.installLeeway},
		{"An S3 server, and the example's namespace", d.installExample},
		{"The winter version trained on January and February, profiled and registered", d.firstVersion},
		{"It serves, with the sidecar beside it and a guard over it", d.deployFirst},
	}
	fmt.Print("Leeway: the year 2013 at New York's airports\n\n")
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", strings.ToLower(s.what[:1])+s.what[1:], err)
		}
		d.say("%s.", s.what)
	}
	return nil
}

// command runs a program of the project, quietly; its output is in the error.
func (d *demo) command(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

func (d *demo) tool(ctx context.Context, name string, args ...string) (string, error) {
	return d.command(ctx, nil, filepath.Join(d.tools, name), args...)
}

func (d *demo) kubectl(ctx context.Context, args ...string) (string, error) {
	return d.tool(ctx, "cluster", append([]string{"kubectl"}, args...)...)
}

// leeway runs the CLI as a person on a laptop would.
func (d *demo) leeway(ctx context.Context, args ...string) (string, error) {
	env := []string{"KUBECONFIG=" + d.kubeconfig}
	for k, v := range d.s3 {
		env = append(env, k+"="+v)
	}
	return d.command(ctx, env, filepath.Join(d.bin, "leeway"), args...)
}

func (d *demo) upCluster(ctx context.Context) error {
	d.say("Building images and starting Kubernetes (some minutes the first time) …")
	var archives []string
	for _, args := range [][]string{
		{},
		{"--name", "docker.io/local/flights:dev", "--file", "examples/flights/Dockerfile"},
		{"--s3"},
	} {
		out, err := d.tool(ctx, "images", args...)
		if err != nil {
			return err
		}
		archives = append(archives, strings.Fields(out)...)
	}
	if _, err := d.tool(ctx, "cluster", "up", "--nodes", "2"); err != nil {
		return err
	}
	if _, err := d.tool(ctx, "cluster", append([]string{"load-image"}, archives...)...); err != nil {
		return err
	}
	var err error
	if d.kubeconfig, err = d.tool(ctx, "cluster", "kubeconfig"); err != nil {
		return err
	}
	d.kube, d.clients, err = connect(d.kubeconfig)
	return err
}

func (d *demo) takeDown(ctx context.Context) error {
	if _, err := d.tool(ctx, "cluster", "down"); err != nil {
		return err
	}
	d.say("Taken down. Nothing is left but build caches and %s.", d.out)
	return nil
}

func (d *demo) lookAround() {
	fmt.Printf(`
The cluster is still up. To look around:

  export KUBECONFIG=%s
  %s/cluster kubectl get modelguards,modeldecisions,modelversions -n %s
  %s/leeway explain --namespace %s flights
  curl -s -H "Authorization: Bearer $(%s/cluster kubectl create token -n %s flights-labels --audience leeway)" \
    '%s/api/v1/query?query=leeway:feature_drift:js_distance30s'
  Dashboards: import manifests/components/grafana/*.json into any Grafana; the URL above is its Prometheus.

  make demo-down   takes it down.
`, d.kubeconfig, d.tools, namespace, d.bin, namespace, d.tools, namespace, d.leewayURL)
}

func random() string {
	b := make([]byte, 12)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
