// Package python makes environments of Python packages, for tests against
// programs that are written in it. They are kept in the user's cache folder:
// installing takes a minute, and the packages are pinned.
package python

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/debian"
)

// interpreter is Debian's, which comes with what makes environments. Others in
// the path may not, and may be of any version.
const interpreter = "/usr/bin/python3"

// Environment is the folder of an environment that has exactly the packages of a
// file of requirements. That lists all of them, with their versions: none is
// looked for, and none is built. Nothing is compiled either: Python does that as
// it goes, with the small part that is run.
func Environment(ctx context.Context, requirements string, progress io.Writer) (dir string, err error) {
	dir, err = folder(requirements)
	if err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := debian.Install(ctx, debian.Python()); err != nil {
		return "", err
	}
	stamp, err := stamp(ctx, requirements)
	if err != nil {
		return "", err
	}
	done := filepath.Join(dir, "installed") // written last
	if have, err := os.ReadFile(done); err == nil && string(have) == stamp {
		return dir, nil
	}
	start := time.Now()
	fmt.Fprintf(progress, "        installing the Python packages of %s\n", requirements)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{interpreter, "-m", "venv", dir},
		{filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--requirement", requirements},
	} {
		if _, err := child.Run(child.Command(ctx, args[0], args[1:]...)); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(progress, "%6.1fs Python packages of %s\n", time.Since(start).Seconds(), requirements)
	return dir, os.WriteFile(done, []byte(stamp), 0o644)
}

// folder is where the environment of a file goes. A requirements.txt is called
// after its example.
func folder(requirements string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder for Python packages: %w", err)
	}
	dir := filepath.Join(cache, "leeway", "python")
	name := strings.TrimSuffix(filepath.Base(requirements), ".txt")
	if name == "requirements" {
		name = "examples-" + filepath.Base(filepath.Dir(requirements))
	}
	return filepath.Join(dir, name), os.MkdirAll(dir, 0o755)
}

// stamp is all that an environment depends on.
func stamp(ctx context.Context, requirements string) (string, error) {
	version, err := child.Run(child.Command(ctx, interpreter, "--version"))
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(requirements)
	return version + string(b), err
}

// lock waits until no other program makes the same environment.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f.Close, nil // which unlocks, as does the end of the program
}
