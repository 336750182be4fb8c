package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/leeway-dev/leeway/e2e/child"
)

// Kubectl runs kubectl as the administrator and gives what it printed.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return child.Run(c.KubectlCommand(ctx, args...))
}

// KubectlCommand is kubectl as the administrator, for a caller that directs its
// streams. It ends with ctx or with this program.
func (c *Cluster) KubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	return child.Command(ctx, c.bin("kubectl"), append([]string{"--kubeconfig=" + c.Kubeconfig()}, args...)...)
}

// Apply applies manifests in YAML.
func (c *Cluster) Apply(ctx context.Context, manifests string) error {
	cmd := c.KubectlCommand(ctx, "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifests)
	_, err := child.Run(cmd)
	return err
}

// LoadImage brings a docker or OCI archive to every node that runs. A node that
// is stopped keeps the images that it has, and misses this one.
func (c *Cluster) LoadImage(ctx context.Context, tar string) error {
	for n := 1; n <= c.o.Nodes; n++ {
		if livePID(c.pidFile(n)) == 0 {
			continue
		}
		if err := c.importImage(ctx, n, tar); err != nil {
			return fmt.Errorf("load %s into %s: %w", tar, c.NodeName(n), err)
		}
	}
	return nil
}

func (c *Cluster) importImage(ctx context.Context, n int, tar string) error {
	f, err := os.Open(tar)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := c.nodeCommand(ctx, n, "ctr", "-n", "k8s.io", "images", "import", "-")
	cmd.Stdin = f
	_, err = child.Run(cmd)
	return err
}
