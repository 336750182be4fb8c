package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

const (
	system   = "leeway-system"
	nodeName = "played"
	lease    = 4 * time.Second
)

// replica is one controller.
type replica struct {
	name    string // of its pod: the first part of the host in its URL
	host    string
	listen  string
	url     string // past all gates
	api     *apiGate
	token   string // file
	config  string // file
	data    string // folder
	peers   string // --controllers
	fromOut *gate  // from its peer to it
	nodes   *gate  // from the node to it

	held atomic.Int32 // how many want it to stay dead
	mu   sync.Mutex
	cmd  *exec.Cmd // which it is now
	gone <-chan struct{}
	born time.Time
}

// startAgents starts both controllers and the agent of the node.
func (w *world) startAgents(ctx context.Context) error {
	if _, err := w.kube.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	for i, r := range []*replica{{name: "localhost", host: "localhost"}, {name: "127", host: "127.0.0.1"}} {
		if err := w.prepare(ctx, r); err != nil {
			return err
		}
		w.replicas[i] = r
	}
	var fromNode []string
	for i, r := range w.replicas {
		peer := w.replicas[1-i]
		r.peers = r.at(r.listen) + "," + peer.at(peer.fromOut.Addr().String())
		fromNode = append(fromNode, r.at(r.nodes.Addr().String()))
		w.ended.Go(func() { w.supervise(r) })
	}
	if err := w.bind(ctx, "leeway-node", "leeway-node", w.plane.URL, w.path("node")); err != nil {
		return err
	}
	listen, err := plane.FreePort()
	if err != nil {
		return err
	}
	cmd := child.Command(w.ctx, w.path("leeway-agent"), "--role=node", "--node="+nodeName, "--pod=leeway-node", "--listen="+listen,
		"--data-dir="+w.path("node-data"), "--controllers="+strings.Join(fromNode, ","), "--token-file="+w.path("node.token"), "--scrape-interval=1s")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.path("node.kubeconfig"))
	_, err = w.run(cmd, "node.log")
	return err
}

// at is a URL of this replica: the agents know it by the host's name.
func (r *replica) at(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return "http://" + r.host + ":" + port
}

func (w *world) prepare(ctx context.Context, r *replica) (err error) {
	if r.listen, err = plane.FreePort(); err != nil {
		return err
	}
	r.url = "http://" + r.listen
	if r.api, err = newAPIGate(w.plane.URL); err != nil {
		return err
	}
	for _, g := range []**gate{&r.fromOut, &r.nodes} {
		if *g, err = newGate(); err != nil {
			return err
		}
		go (*g).forward(r.listen)
	}
	r.token, r.config, r.data = w.path(r.name+".token"), w.path(r.name+".kubeconfig"), w.path(r.name+"-data")
	return w.bind(ctx, r.name, "leeway-controller", "https://"+r.api.Addr().String(), w.path(r.name))
}

// bind makes a pod, and a token and a kubeconfig that are bound to it.
func (w *world) bind(ctx context.Context, pod, account, server, file string) error {
	return plane.Pod{Namespace: system, Name: pod, Account: account, Node: nodeName, Server: server}.Bind(ctx, w.kube, file)
}

// supervise starts a replica whenever it has ended, as its kubelet would: a
// leader that has lost the Lease ends by itself.
func (w *world) supervise(r *replica) {
	for w.ctx.Err() == nil {
		if err := w.live(r); err != nil {
			w.say("replica %s: %v", r.name, err)
		}
		for ok := true; ok; ok = r.held.Load() > 0 {
			if plane.Pause(w.ctx, 500*time.Millisecond) != nil {
				return
			}
		}
	}
}

// live is one life of a replica.
func (w *world) live(r *replica) error {
	cmd := child.Command(w.ctx, w.path("leeway-agent"), "--role=controller", "--node="+nodeName, "--pod="+r.name, "--namespace="+system,
		"--listen="+r.listen, "--data-dir="+r.data, "--rules="+w.path("rules"), "--controllers="+r.peers, "--token-file="+r.token,
		"--scrape-interval=1s", "--decide-interval=1s", "--lease-duration="+lease.String(), "--artifact-allow=file://"+w.dir+"/*")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+r.config, "GOMEMLIMIT=400MiB")
	gone, err := w.run(cmd, r.name+".log")
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.cmd, r.gone, r.born = cmd, gone, time.Now()
	r.mu.Unlock()
	<-gone
	return nil
}

// run starts a program whose output goes to a file of the world.
func (w *world) run(cmd *exec.Cmd, log string) (gone <-chan struct{}, err error) {
	f, err := os.OpenFile(w.path(log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err)
	}
	ended := make(chan struct{})
	w.ended.Go(func() {
		defer close(ended)
		_ = cmd.Wait() // most are killed
	})
	return ended, nil
}

// signal sends a signal to the process that the replica is now.
func (r *replica) signal(s syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd != nil {
		_ = r.cmd.Process.Signal(s) // it may have ended
	}
}

// sinceBefore says whether the replica has lived since well before a time, in
// seconds: what began then it has seen itself.
func (r *replica) sinceBefore(unix float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return float64(r.born.Add(10*time.Second).UnixMilli())/1000 < unix
}

// die kills replicas. They live again after a while, or when ctx ends.
func die(ctx context.Context, after time.Duration, which ...*replica) error {
	for _, r := range which {
		r.held.Add(1)
		defer r.held.Add(-1)
		r.signal(syscall.SIGKILL)
	}
	return plane.Pause(ctx, after)
}

// loses kills a replica, and takes away all that it has: its peer has it too.
func (r *replica) loses(ctx context.Context, after time.Duration) error {
	r.held.Add(1)
	defer r.held.Add(-1)
	r.mu.Lock()
	cmd, gone := r.cmd, r.gone
	r.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Kill() // it may have ended
		<-gone
	}
	if err := os.RemoveAll(r.data); err != nil {
		return err
	}
	return plane.Pause(ctx, after)
}

// leader is the replica that the Lease names, or nil.
func (w *world) leader(ctx context.Context) *replica {
	l, err := w.kube.CoordinationV1().Leases(system).Get(ctx, "leeway-controller", metav1.GetOptions{})
	if err != nil || l.Spec.HolderIdentity == nil || l.Spec.RenewTime == nil || time.Since(l.Spec.RenewTime.Time) > lease {
		return nil
	}
	name, _, _ := strings.Cut(*l.Spec.HolderIdentity, "_")
	for _, r := range w.replicas {
		if r.name == name {
			return r
		}
	}
	return nil
}

func (w *world) other(r *replica) *replica {
	if r == w.replicas[0] {
		return w.replicas[1]
	}
	return w.replicas[0]
}

// sample is one series of an answer.
type sample struct {
	Metric map[string]string
	Value  [2]any
	Values [][2]any
}

func (s sample) number() float64 {
	text, _ := s.Value[1].(string)
	x, _ := strconv.ParseFloat(text, 64)
	return x
}

// query asks a replica, past all gates.
func (w *world) query(ctx context.Context, r *replica, expr string) ([]sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+w.viewer)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	var said struct{ Data struct{ Result []sample } }
	if err := json.Unmarshal(b, &said); err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %.300s", r.name, answer.Status, b)
	}
	return said.Data.Result, nil
}
