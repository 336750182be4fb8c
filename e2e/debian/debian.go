// Package debian knows the Debian packages that machines, image builds and
// environments of Python run on: the one place where they are named.
package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Package is one of Debian's, and the version tried (Debian 12). No newer one is
// known to fail.
type Package struct{ Name, Tried string }

// Cluster lists what machines and image builds run on.
func Cluster() []Package {
	return []Package{
		{"containerd", "1.6.20"},
		{"runc", "1.1.5"},
		{"containernetworking-plugins", "1.1.1"},
		{"iptables", "1.8.9"},
		{"nftables", "1.0.6"},
		{"conntrack", "1.4.7"},
		{"iproute2", "6.1.0"},
		{"util-linux", "2.38.1"},
		{"buildah", "1.28.2"},
		{"busybox-static", "1.35.0"},
		{"ca-certificates", "20230311"},
	}
}

// Python lists what environments of Python packages are made with.
func Python() []Package {
	return []Package{
		{"python3", "3.11.2"},
		{"python3-venv", "3.11.2"},
		{"ca-certificates", "20230311"},
	}
}

// Shell lists what commands of the documentation are run with.
func Shell() []Package { return []Package{{"jq", "1.6"}} }

// Absent names those of the packages that are not installed.
func Absent(ctx context.Context, packages []Package) (absent []string) {
	for _, p := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f=${db:Status-Status}", p.Name).Output()
		if err != nil || string(out) != "installed" {
			absent = append(absent, p.Name)
		}
	}
	return absent
}

// Install brings in those of the packages that are missing, so it needs root.
// Unlike all else in these tests apt-get outlives a killed caller: half a package
// would be worse.
func Install(ctx context.Context, packages []Package) error {
	absent := Absent(ctx, packages)
	if len(absent) == 0 {
		return nil
	}
	for _, args := range [][]string{
		{"update", "-qq"},
		append([]string{"install", "-qq", "-y", "--no-install-recommends"}, absent...),
	} {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
		}
	}
	if absent = Absent(ctx, packages); len(absent) > 0 {
		return fmt.Errorf("apt-get did not install %s", strings.Join(absent, " "))
	}
	return nil
}
