package s3_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/s3"
)

// long asks for the tests at their full size, which take minutes.
const long = "LEEWAY_TEST_LONG"

func TestManyRegistrars(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	each := 3
	if os.Getenv(long) != "" {
		each = 100
	}
	setenv(t)
	url := serve(t, fakeS3(t))
	registrytest.Registrars(t, func() registry.Store { return patient(t, url) }, 100, each)
}

func TestManyVersions(t *testing.T) {
	if os.Getenv(long) == "" {
		t.Skip(long + " is not set: it takes a while")
	}
	setenv(t)
	url := serve(t, fakeS3(t))
	registrytest.Listing(t, func() registry.Store { return patient(t, url) }, 10_000,
		registrytest.Limits{First: 60 * time.Second, Again: 15 * time.Second, Told: 15 * time.Second, Bytes: 500 << 20})
}

// patient waits as long as people do: a busy machine is no fault.
func patient(t *testing.T, url string) *s3.Store {
	t.Helper()
	s, err := s3.New("s3://models/registry", bucket.Options{Endpoint: url}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Of a registry of many models the one that is asked for takes as many requests
// as it would alone: among 10,000 versions, or with LEEWAY_TEST_LONG a million.
func TestManyModels(t *testing.T) {
	models := 100
	if os.Getenv(long) != "" {
		models = 10_000
	}
	setenv(t)
	var alone []string
	for _, others := range []int{0, models} {
		backend := s3mem.New()
		if err := backend.CreateBucket("models"); err != nil {
			t.Fatal(err)
		}
		for i := range others * 100 {
			key := fmt.Sprintf("registry/other%06d/versions/%010d.json", i/100, i%100+1)
			if _, err := backend.PutObject("models", key, nil, strings.NewReader("not to be read"), 14, nil); err != nil {
				t.Fatal(err)
			}
		}
		var asked []string
		var mu sync.Mutex
		server := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
		url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked = append(asked, r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("prefix"))
			mu.Unlock()
			server.ServeHTTP(w, r)
		}))
		registrytest.OneModel(t, func() registry.Store {
			mu.Lock()
			asked = nil // of the latest one: it reads only
			mu.Unlock()
			return patient(t, url)
		}, 100)
		slices.Sort(asked)
		t.Logf("%d other models: %d requests", others, len(asked))
		if others == 0 {
			alone = asked
		} else if !slices.Equal(asked, alone) {
			t.Errorf("alone %d requests, among %d models %d", len(alone), others, len(asked))
		}
	}
}
