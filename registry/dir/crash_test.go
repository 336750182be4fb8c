package dir_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// registrar is a process that registers until it is killed.
const registrar = "LEEWAY_TEST_REGISTRAR"

func TestMain(m *testing.M) {
	if path := os.Getenv(registrar); path != "" {
		s := dir.New(path, time.Now)
		for i := 0; ; i++ {
			spec := registrytest.Spec("churn")
			spec.Lineage.Decision = fmt.Sprintf("churn-%d-%d", os.Getpid(), i)
			v, err := s.Register(context.Background(), spec)
			if err != nil {
				fmt.Println("error", err)
				os.Exit(1)
			}
			fmt.Println(v.Number, spec.Lineage.Decision)
		}
	}
	os.Exit(m.Run())
}

// Registrars are killed in the middle of whatever they do: what they said was
// registered is there, whole, and the next registrar goes on.
func TestKilled(t *testing.T) {
	path := t.TempDir()
	s := dir.New(path, time.Now)
	said := map[int64]string{}
	for round := range 12 {
		var processes []*exec.Cmd
		var outputs []*bufio.Scanner
		for range 2 {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), registrar+"="+path)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			processes, outputs = append(processes, c), append(outputs, bufio.NewScanner(out))
		}
		for _, o := range outputs { // both have begun
			if o.Scan() {
				note(t, said, o.Text())
			}
		}
		time.Sleep(time.Duration(round) * 1300 * time.Microsecond)
		for i, c := range processes {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			for outputs[i].Scan() {
				note(t, said, outputs[i].Text())
			}
			_ = c.Wait()
		}
		vs, err := s.List(t.Context(), "churn")
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		there, decisions := map[int64]string{}, map[string]int64{}
		for _, v := range vs {
			there[v.Number] = v.Spec.Lineage.Decision
			if other, twice := decisions[v.Spec.Lineage.Decision]; twice {
				t.Errorf("%s registered %d and %d", v.Spec.Lineage.Decision, other, v.Number)
			}
			decisions[v.Spec.Lineage.Decision] = v.Number
		}
		for _, v := range vs[max(0, len(vs)-3):] {
			again, err := s.Register(t.Context(), withDecision(v.Spec.Lineage.Decision))
			if err != nil || again.Number != v.Number {
				t.Errorf("registering %s again: got %d, %v, want %d", v.Spec.Lineage.Decision, again.Number, err, v.Number)
			}
		}
		for n, decision := range said {
			if there[n] != decision {
				t.Errorf("round %d: version %d was registered for %s, there is %q", round, n, decision, there[n])
			}
		}
	}
	if len(said) < 24 {
		t.Errorf("only %d versions were registered", len(said))
	}
}

func note(t *testing.T, said map[int64]string, line string) {
	t.Helper()
	var n int64
	var decision string
	if _, err := fmt.Sscan(line, &n, &decision); err != nil {
		t.Errorf("a registrar said %q", line)
		return
	}
	if other, twice := said[n]; twice {
		t.Errorf("number %d was given to %s and to %s", n, other, decision)
	}
	said[n] = decision
}

func withDecision(decision string) v1alpha1.ModelVersionSpec {
	spec := registrytest.Spec("churn")
	spec.Lineage.Decision = decision
	return spec
}

// Leftovers of the dead are swept, those of the living are not.
func TestSweep(t *testing.T) {
	path := t.TempDir()
	s := dir.New(path, time.Now)
	if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(path, "churn/tmp/new-old"), filepath.Join(path, "churn/tmp/new-fresh")
	for _, name := range []string{old, fresh} {
		if err := os.WriteFile(name, []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old leftover is still there: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("the fresh one is gone: %v", err)
	}
}

// A file that somebody changed is refused with its name; the others are not
// harmed by what does not belong there.
func TestForeignFiles(t *testing.T) {
	path := t.TempDir()
	s := dir.New(path, time.Now)
	if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	versions := filepath.Join(path, "churn", "versions")
	for _, name := range []string{"README", "x.json", "0.json", "-1.json"} {
		if err := os.WriteFile(filepath.Join(versions, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if vs, err := s.List(t.Context(), "churn"); err != nil || len(vs) != 1 {
		t.Errorf("got %d versions, %v, want 1", len(vs), err)
	}
	for name, content := range map[string]string{"2.json": "{", "3.json": `{"spec":{"model":"churn","version":1}}`} {
		file := filepath.Join(versions, name)
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.List(t.Context(), "churn"); !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want an error that names it", name, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}
