package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/client"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

// Listing a model with profiles for the first time, and again when nothing has
// changed.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		store := dir.New(b.TempDir(), time.Now)
		for i := range n {
			spec := registrytest.Spec("churn")
			var err error
			if spec.Profile, err = registry.Pack([]byte(strings.Repeat(fmt.Sprint("profile ", i), 2000))); err != nil {
				b.Fatal(err)
			}
			if _, err := store.Register(b.Context(), spec); err != nil {
				b.Fatal(err)
			}
		}
		h, err := api.New(api.Config{
			Open:      func(context.Context, string, api.Verb) (registry.Store, error) { return store, nil },
			Authorize: func(*http.Request, string, api.Verb) error { return nil },
		})
		if err != nil {
			b.Fatal(err)
		}
		server := httptest.NewServer(h)
		defer server.Close()
		open := func() *client.Client {
			c, err := client.New(client.Config{URL: server.URL, HTTP: server.Client()})
			if err != nil {
				b.Fatal(err)
			}
			return c
		}
		list := func(c *client.Client) {
			if vs, err := c.List(b.Context(), "churn"); err != nil || len(vs) != n {
				b.Fatalf("got %d versions, %v", len(vs), err)
			}
		}
		b.Run(fmt.Sprintf("%d/first", n), func(b *testing.B) {
			for b.Loop() {
				list(open())
			}
		})
		b.Run(fmt.Sprintf("%d/again", n), func(b *testing.B) {
			c := open()
			list(c)
			for b.Loop() {
				list(c)
			}
		})
	}
}
