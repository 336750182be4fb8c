// Package archive packs a static program into a container image without a
// container engine: a docker-archive, which containerd and docker load. Equal
// input gives an equal image, for all times in it are zero.
package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Image is an image with one layer, which holds one program and an empty /tmp.
type Image struct {
	Name    string   // with registry and tag, as in docker.io/local/app:dev
	Program string   // path of a static program, which becomes the entry point
	Args    []string // the default arguments
	User    int      // numeric, so that runAsNonRoot can tell that it is not root
}

// Write writes the image as a tar file at path.
func (i Image) Write(path string) error {
	program, err := os.ReadFile(i.Program)
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	entry := filepath.Base(i.Program)
	layer, err := pack(
		entryOf("tmp/", 0o1777, nil),
		entryOf(entry, 0o755, program),
	)
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	config, err := json.Marshal(i.config("/"+entry, layer))
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	configName := fmt.Sprintf("%x.json", sha256.Sum256(config))
	manifest, err := json.Marshal([]map[string]any{{
		"Config": configName, "RepoTags": []string{i.Name}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	image, err := pack(
		entryOf(configName, 0o644, config),
		entryOf("layer.tar", 0o644, layer),
		entryOf("manifest.json", 0o644, manifest),
	)
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	return os.WriteFile(path, image, 0o644)
}

// config is the image's configuration as docker and OCI define it.
func (i Image) config(entry string, layer []byte) map[string]any {
	return map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      time.Unix(0, 0).UTC(),
		"config": map[string]any{
			"Entrypoint": []string{entry},
			"Cmd":        i.Args,
			"User":       fmt.Sprint(i.User),
			"Env":        []string{"PATH=/"},
		},
		"rootfs": map[string]any{
			"type":     "layers",
			"diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))},
		},
	}
}

type file struct {
	header tar.Header
	data   []byte
}

// entryOf makes a file, or a folder if the name ends in a slash.
func entryOf(name string, mode int64, data []byte) file {
	header := tar.Header{Name: name, Mode: mode, Size: int64(len(data)), ModTime: time.Unix(0, 0)}
	header.Typeflag = tar.TypeReg
	if name[len(name)-1] == '/' {
		header.Typeflag = tar.TypeDir
	}
	return file{header, data}
}

func pack(files ...file) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&f.header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}
