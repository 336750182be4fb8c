package artifact_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/leeway-dev/leeway/registry/artifact"
)

func allow(t *testing.T, patterns ...string) artifact.Allow {
	t.Helper()
	a, err := artifact.ParseAllow(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAllow(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"models/a", "secret/b"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "models", "link")); err != nil {
		t.Fatal(err)
	}
	controller := []string{"s3://*", "image:*"}
	files := []string{"file://" + dir + "/models/*"}
	pin := "@sha256:" + hexOf(nil)
	tests := []struct {
		patterns []string
		uri      string
		refused  bool
	}{
		{controller, "/etc/hostname", true},
		{controller, "file:///etc/hostname", true},
		{controller, "example.com/churn" + pin, false},
		{files, "file://" + dir + "/models/a", false},
		{files, dir + "/models/a", false},
		{files, dir + "/models/../secret/b", true},
		{files, "file://" + dir + "/models/../secret/b", true},
		{files, "file://" + dir + "/models/link/b", true},
		{files, "file://" + dir + "/models%2F..%2Fsecret/b", true},
		{files, "s3://models/a", true},
		{files, "example.com/churn" + pin, true},
		{[]string{}, "s3://models/a", true},
		{[]string{"*"}, dir + "/models/a", false},
		{[]string{"s3://models/churn/*"}, "s3://models/other/a", true},
		{[]string{"s3://models/*"}, "s3://models-evil/a", true},
		{[]string{"image:example.com/acme/*"}, "example.com/evil/churn" + pin, true},
		{[]string{"image:example.com/acme/*"}, "docker://example.org/acme/churn" + pin, true},
	}
	for _, tt := range tests {
		_, err := artifact.New(artifact.Options{Allow: allow(t, tt.patterns...)}).Digest(t.Context(), tt.uri)
		if errors.Is(err, artifact.ErrForbidden) != tt.refused || !tt.refused && err != nil {
			t.Errorf("%v, %s: got %v, want refused: %v", tt.patterns, tt.uri, err, tt.refused)
		}
		if err != nil && artifact.Reason(err) != artifact.ReasonForbidden {
			t.Errorf("%s: reason %s", tt.uri, artifact.Reason(err))
		}
	}
}

func TestParseAllow(t *testing.T) {
	for text, ok := range map[string]bool{
		"*": true, "s3://*": true, "s3://models/*": true, "s3://models/churn/*": true, "s3://models/a.bin": true, "file:///srv/models/*": true, "file:///*": true, "image:*": true, "image:ghcr.io/acme/*": true, " s3://models/* ": true,
		"": false, "s3://": false, "s3://models": false, "s3://models*": false, "s3://*/churn/*": false, "file://srv/*": false, "file:///srv/../etc/*": false, "image:ghcr.io*": false, "image:": false, "https://x/*": false, "models/*": false,
	} {
		if _, err := artifact.ParseAllow([]string{text}); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := allow(t, "s3://models/*", "image:docker.io/acme/*").String(); got != "s3://models/*,image:index.docker.io/acme/*" {
		t.Error(got)
	}
}
