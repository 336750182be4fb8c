package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// pod is a sidecar that is a process of its own, in front of a model server.
type pod struct {
	name            string
	address, admin  string
	model           *modelServer
	profile, digest string

	inFlight atomic.Int64
	process  *exec.Cmd
	said     bytes.Buffer // of the processes, read when none runs
	// taken is when the process of now had its reference.
	taken time.Time
}

// newPod has an address of its own, as a pod has: while its sidecar is away, no
// other connection of the machine may come to have the port.
func newPod(t *testing.T, i int) *pod {
	t.Helper()
	p := &pod{name: fmt.Sprintf("pod-%d", i), model: newModelServer(t)}
	host := fmt.Sprintf("127.0.1.%d", i+1)
	p.address, p.admin = freeAddress(t, host), freeAddress(t, host)
	trained, _, err := dataset.FromCSV("train.csv", strings.NewReader("x,y,eta\n"+rows()), dataset.Options{Predictions: []string{"eta"}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := trained.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p.profile, p.digest = string(raw), fmt.Sprintf("sha256:%x", sha256.Sum256(raw))
	t.Cleanup(func() { p.stop(t) })
	return p
}

func rows() string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "%d,%d,%d\n", i, i%7, 2*i)
	}
	return b.String()
}

func freeAddress(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts the sidecar, as a kubelet does, and waits until it answers.
func (p *pod) start(t *testing.T) {
	t.Helper()
	name := *sidecarPath
	if name == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		name = self
	}
	p.process = exec.Command(name, "--model=eta", "--version=3", "--receipts", "--log-level=warn", "--profile-digest="+p.digest,
		"--listen="+p.address, "--admin-listen="+p.admin, "--upstream=http://"+p.model.address)
	p.process.Env = append(os.Environ(), asSidecar+"=1")
	p.process.Stderr = &p.said
	p.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.process.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get("http://" + p.admin + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%s is not ready: %v", p.name, err)
		}
	}
}

// reference brings the sidecar its profile, as the node's agent does for each run
// of the container.
func (p *pod) reference(t *testing.T) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+p.admin+"/reference", strings.NewReader(p.profile))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !bytes.Contains(said, []byte(`"taken"`)) {
		t.Errorf("%s: a new sidecar takes the reference: %s %s", p.name, resp.Status, said)
	}
	p.taken = time.Now()
}

// kill kills the sidecar and starts another at once.
func (p *pod) kill(t *testing.T) kill {
	t.Helper()
	k := kill{pod: p, signalled: time.Now()}
	k.inFlight = int(p.inFlight.Load())
	if err := p.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.process.Wait() // killed
	k.gone = time.Now()
	p.start(t)
	k.back = time.Now()
	p.reference(t)
	return k
}

func (p *pod) stop(t *testing.T) {
	if p.process == nil {
		return
	}
	_ = p.process.Process.Kill()
	_ = p.process.Wait()
	if t.Failed() && p.said.Len() > 0 {
		t.Logf("%s said:\n%s", p.name, p.said.Bytes()[max(0, p.said.Len()-2000):])
	}
}

// judgeProfile: what was observed before the last kill is lost, and all since is
// there.
func (p *pod) judgeProfile(t *testing.T, l *load) {
	t.Helper()
	answered := l.answeredSince(p, p.taken)
	var live *profile.Profile
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Millisecond) { // parsing is behind
		resp, err := http.Get("http://" + p.admin + "/profile")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: profile: %s %s", p.name, resp.Status, raw)
		}
		if live, err = profile.Parse(raw); err != nil {
			t.Fatal(err)
		}
		if got := live.Features[0].Rows; got >= answered || time.Now().After(end) {
			break
		}
	}
	// A request that was under way when the reference was taken may count or not.
	if got := live.Features[0].Rows; got < answered || got > answered+maxUnderWay {
		t.Errorf("%s: the profile has %d rows, of %d answers since the last kill", p.name, got, answered)
	}
}

// maxUnderWay is more than are ever under way at one pod.
const maxUnderWay = 50

// modelServer answers after as long as it is asked to.
type modelServer struct {
	address string
	server  *http.Server

	mu    sync.Mutex
	conns map[net.Conn]http.ConnState
}

func newModelServer(t *testing.T) *modelServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &modelServer{address: l.Addr().String(), conns: map[net.Conn]http.ConnState{}}
	m.server = &http.Server{Handler: http.HandlerFunc(m.predict), ConnState: m.note}
	go func() { _ = m.server.Serve(l) }()
	t.Cleanup(func() { _ = m.server.Close() })
	return m
}

func (m *modelServer) note(c net.Conn, s http.ConnState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conns[c] = s; s == http.StateClosed {
		delete(m.conns, c)
	}
}

func (m *modelServer) predict(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Instances [][2]float64 }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Instances) != 1 {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	x := asked.Instances[0][0]
	select {
	case <-time.After(time.Duration(5+int(x)%40) * time.Millisecond):
		fmt.Fprintf(w, `{"predictions":[%g]}`, 2*x)
	case <-r.Context().Done(): // its client is gone
	}
}

// judge: of the connections of sidecars that were killed none is left, and those
// of the last one are as many as its clients have.
func (m *modelServer) judge(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		m.mu.Lock()
		active := 0
		for _, s := range m.conns {
			if s == http.StateActive {
				active++
			}
		}
		open := len(m.conns)
		m.mu.Unlock()
		if active == 0 && open <= maxUnderWay {
			return
		}
		if time.Now().After(end) {
			t.Errorf("the model server has %d connections, %d of them in the middle of a request that nobody waits for", open, active)
			return
		}
	}
}
