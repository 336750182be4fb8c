package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/dir"
)

// newRegistryServer gives each script a registry behind the HTTP API, of the
// folders served/NAMESPACE, to which $SERVED is the URI and t0ken the token;
// "reader" is the token of one who may only read. What it was asked is in
// served.log.
func newRegistryServer(e *testscript.Env) error {
	h, err := api.New(api.Config{
		Open: func(_ context.Context, namespace string, _ api.Verb) (registry.Store, error) {
			return dir.New(filepath.Join(e.WorkDir, "served", namespace), time.Now), nil
		},
		Authorize: func(r *http.Request, _ string, verb api.Verb) error {
			switch token := r.Header.Get("Authorization"); {
			case token == "Bearer t0ken", token == "Bearer reader" && verb != api.Create:
				return nil
			case token == "Bearer reader":
				return fmt.Errorf("%w: the reader may not %s", registry.ErrForbidden, verb)
			}
			return fmt.Errorf("%w: send a token", api.ErrUnauthenticated)
		},
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if f, err := os.OpenFile(e.WorkDir+"/served.log", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			fmt.Fprintln(f, r.Method, r.URL.Path)
			f.Close()
		}
		mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	e.Defer(server.Close)
	e.Setenv("SERVED", "leeway+"+server.URL)
	return nil
}

// exits CODE COMMAND... runs a command that ends with a code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%v: exit code %d, want %d", args[1:], got, want)
	}
}
