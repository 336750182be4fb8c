package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/leeway-dev/leeway/agent/auth"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// apiServer answers reviews as a real one does, over HTTP.
type apiServer struct {
	*httptest.Server
	pods     *auth.Pods
	registry *prometheus.Registry

	mu     sync.Mutex
	users  map[string]authenticationv1.UserInfo // by token
	rights map[string]bool                      // "user verb resource[/subresource] namespace"
	there  map[string]*corev1.Pod               // that nobody has heard of, by namespace/name
	down   bool
	blind  bool // knows no audiences
	asked  map[string]int
	now    time.Time
}

func newAPIServer(t *testing.T) (*apiServer, *auth.Authority) {
	t.Helper()
	s := &apiServer{users: map[string]authenticationv1.UserInfo{}, rights: map[string]bool{}, asked: map[string]int{}, now: time.Unix(1e9, 0)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", s.reviewToken)
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/subjectaccessreviews", s.reviewAccess)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	clients, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	}
	s.pods, s.registry = auth.NewPods(auth.PodsConfig{Live: s.pod, Now: clock}), prometheus.NewRegistry()
	s.pods.Synced(func() bool { return true })
	a, err := auth.New(auth.Config{
		Tokens: clients.AuthenticationV1().TokenReviews(), Access: clients.AuthorizationV1().SubjectAccessReviews(),
		MaxEntries: 8, Pods: s.pods, Registerer: s.registry, Now: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

func (s *apiServer) reviewToken(w http.ResponseWriter, r *http.Request) {
	var review authenticationv1.TokenReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked["tokens"]++
	if s.down {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	user, ok := s.users[review.Spec.Token]
	review.Status = authenticationv1.TokenReviewStatus{Authenticated: ok, User: user}
	if ok && !s.blind {
		review.Status.Audiences = review.Spec.Audiences
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

func (s *apiServer) reviewAccess(w http.ResponseWriter, r *http.Request) {
	var review authorizationv1.SubjectAccessReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked["access"]++
	a := review.Spec.ResourceAttributes
	resource := a.Resource + "." + a.Group
	if a.Subresource != "" {
		resource = a.Resource + "/" + a.Subresource + "." + a.Group
	}
	review.Status.Allowed = s.rights[strings.TrimSpace(fmt.Sprintf("%s %s %s %s", review.Spec.User, a.Verb, resource, a.Namespace))]
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// pod reads one from the API server.
func (s *apiServer) pod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked["pods"]++
	if s.down {
		return nil, apierrors.NewServiceUnavailable("down")
	}
	if p := s.there[namespace+"/"+name]; p != nil {
		return p, nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("pods"), name)
}

func (s *apiServer) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *apiServer) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[what]
}

func user(name string, extra ...string) authenticationv1.UserInfo {
	u := authenticationv1.UserInfo{Username: name, UID: name, Extra: map[string]authenticationv1.ExtraValue{}}
	for i := 0; i < len(extra); i += 2 {
		u.Extra["authentication.kubernetes.io/"+extra[i]] = authenticationv1.ExtraValue{extra[i+1]}
	}
	return u
}

// ask sends a request with a token through a guard and says the answer.
func ask(guard func(http.Handler) http.Handler, token, target string) (int, string) {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, auth.From(r.Context()).User)
	})).ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestWhoMayWhat(t *testing.T) {
	s, a := newAPIServer(t)
	const agents = "system:serviceaccount:leeway-system:"
	s.users = map[string]authenticationv1.UserInfo{
		"ann": user("ann"), "bob": user("bob"),
		"node":       user(agents+"leeway-node", "node-name", "n1"),
		"controller": user(agents+"leeway-controller", "pod-name", "leeway-controller-0"),
		"impostor":   user("system:serviceaccount:ml:leeway-node", "node-name", "n1"),
	}
	s.rights = map[string]bool{
		"ann get modelguards.leeway.dev": true,
	}
	for _, c := range []struct {
		name   string
		guard  func(http.Handler) http.Handler
		token  string
		target string
		code   int
		answer string
	}{
		{"no token", a.Queries, "", "/", 401, "unauthenticated: send a Kubernetes token"},
		{"no such token", a.Queries, "x", "/", 401, "unauthenticated: the token is not valid for the audience \"leeway\""},
		{"a huge token", a.Queries, strings.Repeat("x", 20_000), "/", 401, "unauthenticated: the token is longer"},
		{"query", a.Queries, "ann", "/", 200, "ann"},
		{"query without the right", a.Queries, "bob", "/", 403, "forbidden: bob may not get modelguards.leeway.dev in all namespaces"},
		{"query by a node agent", a.Queries, "node", "/", 403, "forbidden: "},
		{"query by a controller", a.Queries, "controller", "/", 200, agents},
		{"copy by a controller", a.Snapshots, "controller", "/", 200, agents},
		{"copy by a node agent", a.Snapshots, "node", "/", 403, "forbidden: "},
		{"copy by who may query", a.Snapshots, "ann", "/", 403, "forbidden: ann is no controller of Leeway's"},
		{"write by a node agent", a.Writes, "node", "/", 200, agents},
		{"write by a controller", a.Writes, "controller", "/", 200, agents},
		{"write by somebody", a.Writes, "ann", "/", 403, "forbidden: ann is not one of Leeway's agents"},
		{"write by an account of that name elsewhere", a.Writes, "impostor", "/", 403, "forbidden: "},
		{"feedback is asked row by row", a.Authenticated, "bob", "/", 200, "bob"},
	} {
		if code, answer := ask(c.guard, c.token, c.target); code != c.code || !strings.HasPrefix(answer, c.answer) {
			t.Errorf("%s: %d %q; want %d %q", c.name, code, answer, c.code, c.answer)
		}
	}
}

func TestVersionsByNamespaceAndVerb(t *testing.T) {
	s, a := newAPIServer(t)
	const agents = "system:serviceaccount:leeway-system:"
	s.users = map[string]authenticationv1.UserInfo{
		"bob": user("bob"), "eve": user("eve"),
		"node": user(agents + "leeway-node"), "controller": user(agents + "leeway-controller"),
	}
	s.rights = map[string]bool{
		"bob get modelversions.leeway.dev ml":    true,
		"bob list modelversions.leeway.dev ml":   true,
		"bob create modelversions.leeway.dev ml": true,
		"eve get modelversions.leeway.dev ml":    true,
	}
	for _, c := range []struct {
		token, verb, namespace string
		want                   error
	}{
		{"", "get", "ml", auth.ErrUnauthenticated},
		{"nosuch", "get", "ml", auth.ErrUnauthenticated},
		{"bob", "get", "ml", nil},
		{"bob", "list", "ml", nil},
		{"bob", "create", "ml", nil},
		{"bob", "get", "other", auth.ErrForbidden},
		{"bob", "get", "", auth.ErrForbidden},
		{"eve", "get", "ml", nil},
		{"eve", "list", "ml", auth.ErrForbidden},
		{"eve", "create", "ml", auth.ErrForbidden},
		{"node", "create", "other", auth.ErrForbidden},
		{"controller", "list", "other", nil},
		{"controller", "create", "other", auth.ErrForbidden},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		if err := a.Versions(r, c.namespace, c.verb); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%q may %s versions in %q: got %v, want %v", c.token, c.verb, c.namespace, err, c.want)
		}
	}
	s.set(func() { s.down = true })
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer another")
	if err := a.Versions(r, "ml", "get"); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("while the API server is away: got %v", err)
	}
}

// within runs f as the owner of a token.
func within(t *testing.T, a *auth.Authority, token string, f func(context.Context)) {
	t.Helper()
	ran := false
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	a.Authenticated(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ran = true
		f(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), r)
	if !ran {
		t.Fatalf("token %s was refused", token)
	}
}

func TestFeedbackByNamespace(t *testing.T) {
	s, a := newAPIServer(t)
	s.users["ann"] = user("ann")
	s.rights["ann create modelguards/feedback.leeway.dev ml"] = true
	within(t, a, "ann", func(ctx context.Context) {
		for namespace, ok := range map[string]bool{"ml": true, "other": false, "": false} {
			if err := a.Feedback(ctx, namespace); (err == nil) != ok {
				t.Errorf("namespace %q: %v", namespace, err)
			}
		}
		for range 10 {
			_ = a.Feedback(ctx, "ml")
		}
	})
	if n := s.count("access"); n != 2 {
		t.Errorf("asked %d times for two namespaces", n)
	}
}

func TestAnswersAreKeptForAWhile(t *testing.T) {
	s, a := newAPIServer(t)
	s.users["ann"] = user("ann")
	query := func() int { code, _ := ask(a.Authenticated, "ann", "/"); return code }
	for range 5 {
		query()
	}
	if n := s.count("tokens"); n != 1 {
		t.Errorf("asked %d times within a minute", n)
	}
	s.set(func() { delete(s.users, "ann"); s.now = s.now.Add(2 * time.Minute) })
	if code := query(); code != 401 {
		t.Errorf("a token that was revoked two minutes ago: %d", code)
	}
	s.set(func() { s.users["ann"] = user("ann") })
	if code := query(); code != 401 {
		t.Errorf("a refusal is not kept at all: %d", code)
	}
	s.set(func() { s.now = s.now.Add(10 * time.Second) })
	if code := query(); code != 200 {
		t.Errorf("a refusal is kept for too long: %d", code)
	}
}

func TestAPIServerAway(t *testing.T) {
	s, a := newAPIServer(t)
	s.users["ann"], s.users["bob"] = user("ann"), user("bob")
	ask(a.Authenticated, "ann", "/")
	s.set(func() { s.down, s.now = true, s.now.Add(5*time.Minute) })
	if code, answer := ask(a.Authenticated, "ann", "/"); code != 200 {
		t.Errorf("an identity that was confirmed before: %d %s", code, answer)
	}
	if code, answer := ask(a.Authenticated, "bob", "/"); code != 503 || !strings.HasPrefix(answer, "the API server does not answer") {
		t.Errorf("one that was not: %d %s", code, answer)
	}
	s.set(func() { s.now = s.now.Add(time.Hour) })
	if code, _ := ask(a.Authenticated, "ann", "/"); code != 503 {
		t.Errorf("an hour later: %d", code)
	}
}

func TestAServerWithoutAudiences(t *testing.T) {
	s, a := newAPIServer(t)
	s.users["ann"], s.blind = user("ann"), true
	if code, _ := ask(a.Authenticated, "ann", "/"); code != 401 {
		t.Errorf("a token that may be for anybody: %d", code)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	s, a := newAPIServer(t)
	for i := range 50 {
		token := fmt.Sprint("t", i)
		s.set(func() { s.users[token] = user(token) })
		if code, _ := ask(a.Authenticated, token, "/"); code != 200 {
			t.Fatalf("token %d: %d", i, code)
		}
	}
	before := s.count("tokens")
	for i := range 50 {
		ask(a.Authenticated, fmt.Sprint("t", i), "/")
	}
	if asked := s.count("tokens") - before; asked < 40 {
		t.Errorf("of 50 identities %d are remembered; the bound is 8", 50-asked)
	}
}
