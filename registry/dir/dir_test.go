package dir_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

func TestStore(t *testing.T) {
	var path string
	registrytest.Run(t, func(t *testing.T) func() registry.Store {
		path = filepath.Join(t.TempDir(), "registry")
		p := path
		return func() registry.Store { return dir.New(p, time.Now) }
	}, func() registrytest.Options {
		return registrytest.Options{Delete: func(t *testing.T, model string, number int64) {
			if err := os.Remove(filepath.Join(path, model, "versions", strconv.FormatInt(number, 10)+".json")); err != nil {
				t.Fatal(err)
			}
		}}
	})
}
