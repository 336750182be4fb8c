package archive_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/leeway-dev/leeway/e2e/archive"
)

func TestImageIsReproducibleAndWhole(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "app")
	if err := os.WriteFile(program, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	var images [2][]byte
	for i := range images {
		path := filepath.Join(dir, "app.tar")
		if err := (archive.Image{Name: "docker.io/local/app:dev", Program: program, User: 65532}).Write(path); err != nil {
			t.Fatal(err)
		}
		var err error
		if images[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Error("the same program gave two different images")
	}
	files := unpack(t, images[0])
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	var config struct {
		Config struct {
			Entrypoint []string
			User       string
		}
	}
	if err := json.Unmarshal(files[manifest[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532" || len(config.Config.Entrypoint) != 1 || config.Config.Entrypoint[0] != "/app" {
		t.Errorf("configuration %+v: want /app as 65532", config)
	}
	if got := unpack(t, files[manifest[0].Layers[0]])["app"]; string(got) != "a program" {
		t.Errorf("the layer's program is %q", got)
	}
}

func TestMissingProgramIsNamed(t *testing.T) {
	err := archive.Image{Name: "local/app:dev", Program: "nowhere/app"}.Write(filepath.Join(t.TempDir(), "app.tar"))
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("nowhere/app")) {
		t.Errorf("error is %v, want one that names the program", err)
	}
}

func unpack(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
