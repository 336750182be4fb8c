package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

// The four that hold the same series.
const (
	nodeAgent        = "node agent"
	prometheusAgent  = "prometheus --agent"
	controller       = "controller"
	prometheusServer = "Prometheus"
)

// held is what each program has at one size.
type held struct {
	series  int // that are scraped, with those that scraping adds
	scrapes int
	has     map[string]reading
	says    map[string]float64 // series that it says it has
}

// holdSeries lets all four take the same series for a while, and measures them.
func holdSeries(ctx context.Context, o options, series int, fill time.Duration) (h held, err error) {
	s, err := newStage(ctx, o)
	defer s.close()
	if err != nil {
		return h, err
	}
	profile, err := learn(ctx, s.dir, o.columns)
	if err != nil {
		return h, err
	}
	e, err := observe(ctx, s.dir, profile, o.columns, false)
	if err != nil {
		return h, err
	}
	const added = 5 // up, scrape_duration_seconds, …: by Prometheus' scraping, which all have
	pods := max(1, series/(e.series+added))
	o.say("%d sidecars with %d series each; every %s for %s", pods, e.series, o.interval, fill)
	g, err := generate(ctx, e, pods)
	if err != nil {
		return h, err
	}
	defer g.Close()
	all, err := s.startHolders(ctx, pods)
	if err != nil {
		return h, err
	}
	h = held{series: pods * (e.series + added), scrapes: int(fill / o.interval), has: map[string]reading{}, says: map[string]float64{}}
	return h, s.watch(ctx, all, fill, &h)
}

// watch waits until all is filled, and reads in the last third of the time.
func (s *stage) watch(ctx context.Context, all []*program, fill time.Duration, h *held) error {
	began := time.Now()
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return ctx.Err()
		case <-tick.C:
		}
		for _, p := range all {
			if err := p.alive(); err != nil {
				return err
			}
			if time.Since(began) > fill*2/3 {
				if err := p.read(ctx); err != nil {
					return err
				}
			}
		}
		if time.Since(began) > fill {
			tick.Stop()
			break
		}
	}
	for _, p := range all {
		h.has[p.name] = p.median()
		name := map[string]string{controller: "leeway_controller_series", prometheusServer: "prometheus_tsdb_head_series",
			prometheusAgent: "prometheus_agent_active_series", nodeAgent: "leeway_node_targets"}[p.name]
		m, err := p.metrics(ctx, name)
		if err != nil {
			return err
		}
		h.says[p.name] = m[name]
	}
	return nil
}

// startHolders starts all four on the sidecars of one node.
func (s *stage) startHolders(ctx context.Context, pods int) ([]*program, error) {
	const node = "played"
	if err := s.newNode(ctx, node); err != nil {
		return nil, err
	}
	if _, err := s.plane.Kubectl(ctx, "create", "namespace", "models"); err != nil {
		return nil, err
	}
	for i := range pods {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "models", Name: fmt.Sprintf("m-%d", i),
			Labels: map[string]string{"leeway.dev/model": "m", "leeway.dev/version": "1"}}, Spec: corev1.PodSpec{NodeName: node}}
		if err := s.newPod(ctx, p, podIP(i)); err != nil {
			return nil, err
		}
	}
	// A second controller, and who Prometheus' agent writes to, in its place.
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := drain(r.Body); err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	context.AfterFunc(ctx, sink.Close)
	if _, err := child.Run(child.Command(ctx, s.path("leeway"), "rules", "render", "--dir", s.path("rules"))); err != nil {
		return nil, err
	}
	var all []*program
	for _, start := range []func(context.Context, string, string, int) (*program, error){s.startController, s.startNode, s.startServer, s.startAgent} {
		p, err := start(ctx, node, sink.URL, pods)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// controllerURL is where the controller that is measured listens: agents know it
// by the first part of its host.
func (s *stage) controllerURL() string {
	b, _ := os.ReadFile(s.path("controller.url"))
	return string(b)
}

func (s *stage) startController(ctx context.Context, node, sink string, _ int) (*program, error) {
	id, err := s.identify(ctx, node, "localhost", "leeway-controller")
	if err != nil {
		return nil, err
	}
	listen, err := plane.FreePort()
	if err != nil {
		return nil, err
	}
	url := "http://" + strings.Replace(listen, "127.0.0.1", "localhost", 1)
	if err := os.WriteFile(s.path("controller.url"), []byte(url), 0o600); err != nil {
		return nil, err
	}
	p, err := s.start(controller, url, []string{"KUBECONFIG=" + id.config}, s.path("leeway-agent"), "--role=controller", "--node="+node, "--pod=localhost",
		"--namespace="+system, "--listen="+listen, "--data-dir="+s.path("controller"), "--rules="+s.path("rules"), "--controllers="+url+","+sink,
		"--token-file="+id.token, "--scrape-interval="+s.interval.String())
	if err != nil {
		return nil, err
	}
	return p, p.ready(ctx, "/readyz")
}

func (s *stage) startNode(ctx context.Context, node, sink string, _ int) (*program, error) {
	id, err := s.identify(ctx, node, "leeway-node", "leeway-node")
	if err != nil {
		return nil, err
	}
	listen, err := plane.FreePort()
	if err != nil {
		return nil, err
	}
	p, err := s.start(nodeAgent, "http://"+listen, []string{"KUBECONFIG=" + id.config}, s.path("leeway-agent"), "--role=node", "--node="+node, "--pod=leeway-node",
		"--listen="+listen, "--data-dir="+s.path("node"), "--controllers="+s.controllerURL()+","+sink, "--token-file="+id.token, "--scrape-interval="+s.interval.String())
	if err != nil {
		return nil, err
	}
	return p, p.ready(ctx, "/readyz")
}

func (s *stage) startServer(ctx context.Context, node, _ string, pods int) (*program, error) {
	return s.startPrometheus(ctx, prometheusServer, fmt.Sprintf("rule_files: [%q]\n", filepath.Join(s.path("rules"), "*.yaml")), node, pods,
		"--storage.tsdb.path="+s.path("server"), "--storage.tsdb.retention.time=15d")
}

func (s *stage) startAgent(ctx context.Context, node, sink string, pods int) (*program, error) {
	return s.startPrometheus(ctx, prometheusAgent, fmt.Sprintf("remote_write: [{url: %q, name: a}, {url: %q, name: b}]\n", sink+"/a", sink+"/b"), node, pods,
		"--agent", "--storage.agent.path="+s.path("agent"))
}

// startPrometheus starts one that scrapes what the node agent does, with the
// labels that it gives.
func (s *stage) startPrometheus(ctx context.Context, name, more, node string, pods int, args ...string) (*program, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "global: {scrape_interval: %s, scrape_timeout: %s, evaluation_interval: %s}\n%sscrape_configs:\n- job_name: leeway-sidecar\n  static_configs:\n",
		s.interval, s.interval, s.interval, more)
	for i := range pods {
		fmt.Fprintf(&b, "  - {targets: ['%s:%d'], labels: {namespace: models, pod: m-%d, node: %s}}\n", podIP(i), adminPort, i, node)
	}
	file := s.path(strings.ReplaceAll(name, " ", "") + ".yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	listen, err := plane.FreePort()
	if err != nil {
		return nil, err
	}
	p, err := s.start(name, "http://"+listen, nil, append([]string{s.path("prometheus"), "--config.file=" + file, "--web.listen-address=" + listen, "--log.level=warn"}, args...)...)
	if err != nil {
		return nil, err
	}
	return p, p.ready(ctx, "/-/ready")
}
