package registry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/leeway-dev/leeway/e2e/child"
)

const adminPassword = "topsecret-of-the-admin"

// maxRequests is more than any command makes.
const maxRequests = 60

// guillotine passes requests on, and kills the program that makes them at one
// of them: before the server gets it, or when the server has done it.
type guillotine struct {
	proxy http.Handler
	mu    sync.Mutex
	left  int // requests until then
	after bool
	kill  func() error
	fell  bool
}

func (g *guillotine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left--; g.left > 0 {
		g.proxy.ServeHTTP(w, r)
		return
	}
	if g.after {
		g.proxy.ServeHTTP(httptest.NewRecorder(), r)
	}
	g.fell = true
	if err := g.kill(); err != nil {
		panic(err)
	}
	panic(http.ErrAbortHandler) // without an answer
}

// killAt runs a command with kill -9 at its n-th request, and says whether it
// made that many.
func (s *mlflowServer) killAt(t *testing.T, n int, after bool, args func(url string) []string) bool {
	t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = target.Host }}
	g := &guillotine{proxy: proxy, left: n, after: after}
	server := httptest.NewServer(g)
	defer server.Close()
	a := args(server.URL)
	cmd := s.cli(t, server.URL, a...)
	g.kill = func() error { return cmd.Process.Kill() }
	_, err = child.Run(cmd)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.fell && err != nil {
		t.Fatal(err)
	}
	if g.fell && (err == nil || !strings.Contains(err.Error(), "killed")) {
		t.Fatalf("it was not killed at request %d: %v", n, err)
	}
	return g.fell
}

// everyRequest kills a command at its first request, its second, and so on,
// each before and after the server has done it.
func (s *mlflowServer) everyRequest(t *testing.T, name string, args func(model string) []string, before, check func(model string)) {
	n := 1
	for ; n < maxRequests; n++ {
		fell := false
		for _, after := range []bool{false, true} {
			model := fmt.Sprintf("%s-%d-%t", name, n, after)
			before(model)
			fell = s.killAt(t, n, after, func(string) []string { return args(model) }) || fell
			check(model)
		}
		if !fell {
			break
		}
	}
	if n < 5 || n == maxRequests {
		t.Errorf("the command made %d requests", n-1)
	}
	t.Logf("killed at each of %d requests, before and after", n-1)
}

// A registrar that was killed leaves nothing that is seen, or the whole version;
// the same registration again leaves that one version.
func (s *mlflowServer) killedRegistering(t *testing.T) {
	register := func(model string) []string {
		return s.register(t, s.url, model, "--decision", "d-1").Args[1:]
	}
	s.everyRequest(t, "killed", register, func(string) {}, func(model string) {
		there := s.versions(t, model)
		if len(there) > 1 {
			t.Fatalf("%s: a registrar that was killed left %d versions", model, len(there))
		}
		if len(there) == 1 {
			s.run(t, s.cli(t, s.url, "match", model, "--profile", s.dir+"/train.json", "--live", there[0].Version))
		}
		number := s.run(t, s.cli(t, s.url, register(model)...))
		if vs := s.versions(t, model); len(vs) != 1 || vs[0].Version != number || len(there) == 1 && there[0].Version != number {
			t.Fatalf("%s: %d versions are there, %v before, the last registrar got %s", model, len(vs), there, number)
		}
	})
}

// A change of a lifecycle is made or not, and once.
func (s *mlflowServer) killedRejecting(t *testing.T) {
	reject := func(model string) []string {
		return []string{"reject", model, "1", "--reason", "20% errors", "--by", "ada"}
	}
	s.everyRequest(t, "rejected", reject, func(model string) {
		s.run(t, s.register(t, s.url, model))
	}, func(model string) {
		_, _ = child.Run(s.cli(t, s.url, reject(model)...)) // refused where it is rejected already
		vs := s.versions(t, model)
		if len(vs) != 1 || vs[0].Lifecycle != "rejected" || len(vs[0].Audit) != 1 {
			t.Fatalf("%s: got %+v, want one change to rejected", model, vs)
		}
	})
}

// users asks a server that knows users: who may do what, and that no password
// is shown.
func (s *mlflowServer) users(t *testing.T) {
	server := s.serve(t, "--app-name", "basic-auth")
	uri := strings.Replace(server, "http://", "http://admin:"+adminPassword+"@", 1)
	for _, tt := range []struct {
		name string
		url  string
		env  []string
		want string // in the error
	}{
		{"nobody", server, nil, "401 forbidden"},
		{"a wrong password", strings.Replace(server, "http://", "http://admin:topsecret-and-wrong@", 1), nil, "401 forbidden"},
		{"a token", server, []string{"MLFLOW_TRACKING_TOKEN=topsecret-token"}, "401 forbidden"},
		{"the admin, in the URI", uri, nil, ""},
		{"the admin, in the environment", server, []string{"MLFLOW_TRACKING_USERNAME=admin", "MLFLOW_TRACKING_PASSWORD=" + adminPassword}, ""},
		{"no server", "http://admin:topsecret@127.0.0.1:9", nil, "unreachable"},
	} {
		for _, args := range [][]string{s.register(t, tt.url, "churn").Args[1:], {"versions", "nothing"}, {"show", "churn", "99"}, {"--help"}} {
			cmd := s.cli(t, tt.url, args...)
			cmd.Env = append(cmd.Env, tt.env...)
			var said child.Output
			cmd.Stdout, cmd.Stderr = &said, &said
			err := cmd.Run()
			if strings.Contains(said.String(), "topsecret") {
				t.Errorf("%s: %s prints a password: %s", tt.name, args[0], said.String())
			}
			if args[0] == "register" && (err == nil) != (tt.want == "") || tt.want != "" && args[0] != "--help" && !strings.Contains(said.String(), tt.want) {
				t.Errorf("%s: %s: %v: %s, want %q", tt.name, args[0], err, said.String(), tt.want)
			}
		}
	}
}
