package api_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The examples with curl in docs/registry.md do what it says.
func TestExamplesOfTheDocs(t *testing.T) {
	for _, program := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("the examples need", program)
		}
	}
	doc, err := os.ReadFile("../../docs/registry.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := bytes.Cut(doc, []byte("\n## HTTP API\n"))
	if !ok {
		t.Fatal("docs/registry.md has no section HTTP API")
	}
	s := start(t, nil)
	s.register(t, "ml", "churn", 1)
	dir := t.TempDir()
	for name, b := range map[string][]byte{"train.json": training(t, 2), "live.json": encode(t, live(t, 1))} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := map[string]string{} // by what the example asks for
	for _, block := range shellBlock.FindAllSubmatch(section, -1) {
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", string(block[1]))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LEEWAY_URL="+s.URL, "LEEWAY_TOKEN=t0ken")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%v: %s%s\n%s", err, stderr.String(), out, block[1])
			continue
		}
		path := regexp.MustCompile(`/leeway/v1/[a-z0-9/]+`).FindString(string(block[1]))
		if strings.Contains(string(block[1]), "-F spec") || strings.Contains(string(block[1]), "-F 'spec") {
			path = "register"
		}
		said[path] = string(out)
	}
	checkExamples(t, s, dir, said)
}

func checkExamples(t *testing.T, s *server, dir string, said map[string]string) {
	t.Helper()
	if got := said["/leeway/v1/models"]; !strings.Contains(got, `{"name":"churn"}`) {
		t.Errorf("models: %s", got)
	}
	var page api.Page[api.Version]
	if err := json.Unmarshal([]byte(said["/leeway/v1/models/churn/versions"]), &page); err != nil || len(page.Items) != 1 {
		t.Errorf("versions: %v, %s", err, said["/leeway/v1/models/churn/versions"])
	}
	if got := said["/leeway/v1/models/churn/versions/1"]; !strings.Contains(got, `"version":1`) {
		t.Errorf("version: %s", got)
	}
	if got := said["/leeway/v1/models/churn/versions/1/profile"]; got != "304\n" {
		t.Errorf("profile, asked for again: %s", got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "train-1.json")); err != nil || !bytes.Equal(b, training(t, 1)) {
		t.Errorf("profile: %v, %.100s", err, b)
	}
	var result registry.Result
	if err := json.Unmarshal([]byte(said["/leeway/v1/models/churn/match"]), &result); err != nil || result.Live != "1" {
		t.Errorf("match: %v, %s", err, said["/leeway/v1/models/churn/match"])
	}
	if v, err := s.store("ml").Get(t.Context(), "churn", 2); err != nil || v.Spec.Profile == nil || v.Spec.Lineage.Decision != "churn-1a2b" {
		t.Errorf("registered: %v, %+v: %s", err, v.Spec, said["register"])
	}
}
