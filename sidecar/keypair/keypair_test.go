package keypair_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leeway-dev/leeway/sidecar/keypair"
	"github.com/leeway-dev/leeway/sidecar/keypair/keypairtest"
)

// volume is a folder as the kubelet keeps a Secret's: what is in it is a link, turned to a new folder at once.
type volume struct {
	t         testing.TB
	dir, path string
	n         int
}

func newVolume(t testing.TB) *volume {
	dir := t.TempDir()
	return &volume{t: t, dir: dir, path: filepath.Join(dir, "data")}
}

// turn makes a new folder, has it filled, and turns the link to it.
func (v *volume) turn(fill func(dir string)) {
	v.t.Helper()
	v.n++
	dir := filepath.Join(v.dir, strings.Repeat("v", v.n))
	if err := os.Mkdir(dir, 0o755); err != nil {
		v.t.Fatal(err)
	}
	fill(dir)
	link := filepath.Join(v.dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		v.t.Fatal(err)
	}
	if err := os.Rename(link, v.path); err != nil {
		v.t.Fatal(err)
	}
}

func (v *volume) issue(name string) { v.turn(func(dir string) { keypairtest.Write(v.t, dir, name) }) }

func (v *volume) open() (*keypair.Files, *observer.ObservedLogs, error) {
	core, logs := observer.New(zap.InfoLevel)
	f, err := keypair.Open(filepath.Join(v.path, "tls.crt"), filepath.Join(v.path, "tls.key"), zap.New(core))
	return f, logs, err
}

func served(t testing.TB, f *keypair.Files) string {
	t.Helper()
	c, err := f.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.Subject.CommonName
}

func TestFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVolume(t)
		v.issue("one")
		f, logs, err := v.open()
		if err != nil {
			t.Fatal(err)
		}
		expect := func(name string, warnings int) {
			t.Helper()
			if got := served(t, f); got != name {
				t.Errorf("certificate %q, want %q", got, name)
			}
			if got := logs.FilterLevelExact(zap.WarnLevel).Len(); got != warnings {
				t.Errorf("%d warnings, want %d", got, warnings)
			}
		}
		expect("one", 0)
		v.issue("two")
		expect("one", 0) // nobody looks again so soon
		time.Sleep(keypair.Every)
		expect("two", 0)

		v.turn(func(dir string) { // the key of another
			keypairtest.Write(t, dir, "three")
			old, _ := os.ReadFile(filepath.Join(v.dir, "v", "tls.key"))
			os.WriteFile(filepath.Join(dir, "tls.key"), old, 0o600)
		})
		for range 3 {
			time.Sleep(keypair.Every)
			expect("two", 1)
		}
		v.turn(func(string) {})
		for range 3 {
			time.Sleep(keypair.Every)
			expect("two", 2)
		}
		v.issue("four")
		time.Sleep(keypair.Every)
		expect("four", 2)
		if n := logs.FilterMessage("certificate taken").Len(); n != 3 {
			t.Errorf("%d certificates taken, want 3", n)
		}
	})
}

func TestNoFiles(t *testing.T) {
	v := newVolume(t)
	for say, fill := range map[string]func(dir string){
		"certificate: ":            func(string) {},
		"key of the certificate: ": func(dir string) { keypairtest.Write(t, dir, "x"); os.Remove(filepath.Join(dir, "tls.key")) },
		"failed to find any PEM data": func(dir string) {
			keypairtest.Write(t, dir, "x")
			os.WriteFile(filepath.Join(dir, "tls.crt"), []byte("nonsense"), 0o600)
		},
	} {
		v.turn(fill)
		if _, _, err := v.open(); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
}

// Many handshakes at once have one certificate or the other.
func TestFilesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVolume(t)
		v.issue("one")
		f, _, err := v.open()
		if err != nil {
			t.Fatal(err)
		}
		v.issue("two")
		time.Sleep(keypair.Every)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for range 100 {
					if got := served(t, f); got != "one" && got != "two" {
						t.Errorf("certificate %q", got)
					}
				}
			})
		}
		all.Wait()
		if got := served(t, f); got != "two" {
			t.Errorf("certificate %q in the end", got)
		}
	})
}
