package api

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/leeway-dev/leeway/registry"
)

// Verb is what is done to the versions of a namespace, as Kubernetes says it.
type Verb string

// What can be done.
const (
	Get    Verb = "get"
	List   Verb = "list"
	Create Verb = "create"
)

// Config of the handler. Open and Authorize must be set.
type Config struct {
	// Open opens the registry of a namespace, for what is to be done there. The
	// namespace is a DNS label, or empty where the request names none.
	Open func(ctx context.Context, namespace string, verb Verb) (registry.Store, error)
	// Authorize says whether the request's sender may do something in a
	// namespace. Its errors wrap ErrUnauthenticated, registry.ErrForbidden or
	// registry.ErrUnreachable. It is asked before the body is read.
	Authorize func(r *http.Request, namespace string, verb Verb) error
	// Failed is told what is answered with 500 and more; nil: nobody.
	Failed func(r *http.Request, err error)
	// MaxBody bounds a body, compressed and not; 0 is 24 MiB, which holds the
	// largest profile.
	MaxBody int64
	// AtOnce bounds how many bodies are held at once; 0 is 4. Others wait.
	AtOnce int
}

// handler serves one or many registries.
type handler struct {
	Config
	bodies      chan struct{} // a place for each body that is held
	description rawJSON
	matchers    matchers
}

// route is one operation. The table of them is what openapi.yaml describes.
type route struct {
	method, path string
	query        []string // parameters besides namespace
	serve        func(h *handler, w http.ResponseWriter, r *http.Request) error
}

// Prefix of every path.
const Prefix = "/leeway/v1/"

func routes() []route {
	const (
		versions = Prefix + "models/{model}/versions"
		version  = versions + "/{version}"
	)
	return []route{
		{"GET", Prefix + "openapi.json", nil, (*handler).openAPI},
		{"GET", Prefix + "models", []string{"limit", "continue"}, (*handler).models},
		{"GET", versions, []string{"limit", "continue", "lifecycle"}, (*handler).versions},
		{"POST", versions, nil, (*handler).register},
		{"GET", version, nil, (*handler).version},
		{"GET", version + "/profile", nil, (*handler).profile},
		{"POST", Prefix + "models/{model}/match", []string{"live", "tolerance"}, (*handler).match},
	}
}

// New returns the handler of everything below Prefix that is the registry's.
// Answers are compressed with gzip for whoever takes that.
func New(c Config) (http.Handler, error) {
	if c.Failed == nil {
		c.Failed = func(*http.Request, error) {}
	}
	if c.MaxBody == 0 {
		c.MaxBody = 24 << 20
	}
	if c.AtOnce == 0 {
		c.AtOnce = 4
	}
	description, err := describe()
	if err != nil {
		return nil, err
	}
	h := &handler{Config: c, bodies: make(chan struct{}, c.AtOnce), description: description}
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for _, route := range routes() {
		mux.HandleFunc(route.method+" "+route.path, h.wrap(route))
		allowed[route.path] = append(allowed[route.path], route.method)
	}
	for path, methods := range allowed {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			h.refuse(w, r, refuse(http.StatusMethodNotAllowed, MethodNotAllowed, "", "%s is not one of %s", r.Method, strings.Join(methods, ", ")))
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.refuse(w, r, refuse(http.StatusNotFound, NotFound, "", "there is nothing at this path; %sopenapi.json says what there is", Prefix))
	})
	compress, err := gzhttp.NewWrapper(gzhttp.EnableZstd(false))
	if err != nil {
		return nil, err
	}
	return compress(mux), nil
}

// namespaceForm keeps a namespace from being a path where a registry's URI has a
// place for it.
var namespaceForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// wrap checks the query of a request.
func (h *handler) wrap(route route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := checkQuery(r, route.query); err != nil {
			h.refuse(w, r, err)
			return
		}
		if err := route.serve(h, w, r); err != nil {
			h.refuse(w, r, err)
		}
	}
}

func checkQuery(r *http.Request, known []string) error {
	for name, values := range r.URL.Query() {
		if name != "namespace" && !slices.Contains(known, name) {
			return invalid(name, "%q is no query parameter of this path", name)
		}
		if len(values) > 1 {
			return invalid(name, "%q is given %d times", name, len(values))
		}
	}
	if ns := r.URL.Query().Get("namespace"); ns != "" && !namespaceForm.MatchString(ns) {
		return invalid("namespace", "namespace %.70q is not one: use at most 63 of a-z, 0-9 and '-'", ns)
	}
	return nil
}

// open authorizes a request and opens the registry that it is about.
func (h *handler) open(r *http.Request, verb Verb) (registry.Store, error) {
	namespace := r.URL.Query().Get("namespace")
	if err := h.Authorize(r, namespace, verb); err != nil {
		return nil, err
	}
	if model := r.PathValue("model"); model != "" {
		if err := registry.ValidateModel(model); err != nil {
			return nil, err
		}
	}
	return h.Open(r.Context(), namespace, verb)
}

// bodyWait is how long a request waits for a place to put its body.
const bodyWait = 10 * time.Second

// holdBody waits for a place for a body; release gives it back.
func (h *handler) holdBody(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, bodyWait, errors.New("too many bodies are being read"))
	defer cancel()
	select {
	case h.bodies <- struct{}{}:
		return func() { <-h.bodies }, nil
	case <-ctx.Done():
		return nil, refuse(http.StatusServiceUnavailable, Unavailable, "", "%w; try again", context.Cause(ctx))
	}
}
