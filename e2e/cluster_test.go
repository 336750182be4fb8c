package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/cluster"
	"github.com/leeway-dev/leeway/e2e/images"
	"github.com/leeway-dev/leeway/e2e/testbed"
)

// TestCluster tries what the other tests and the demo rely on.
func TestCluster(t *testing.T) {
	testbed.NeedMachine(t)
	dir := t.TempDir()
	before := look(t, dir)
	c := testbed.Up(t, options(dir, ""))
	t.Run("volumes and images", func(t *testing.T) { testPair(t, c) })
	t.Run("node loss", func(t *testing.T) { testNodeLoss(t, c) })
	t.Run("audit log", func(t *testing.T) { testAuditLog(t, c) })
	t.Run("programs", func(t *testing.T) { testPrograms(t, c) })
	t.Run("s3 server", func(t *testing.T) { testS3(t, c) })
	if t.Failed() {
		return
	}
	if err := c.Down(); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, before, dir)
}

// testPair builds an image from a Dockerfile and runs two pods of it, each with
// a volume of its own, as nobody in particular and with a read-only root.
func testPair(t *testing.T, c *cluster.Cluster) {
	o := images.Options{Root: "testdata/probe", Dir: t.TempDir()}
	tars, err := images.Build(t.Context(), o, []images.Image{probe()}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.LoadImage(t.Context(), tars[0]); err != nil {
		t.Fatal(err)
	}
	apply(t, c, "testdata/pair.yaml")
	kubectl(t, c, "rollout", "status", "statefulset/pair", "--timeout=60s")
	claims := kubectl(t, c, "get", "pvc", "-o", "jsonpath={range .items[*]}{.status.phase} {end}")
	if claims != "Bound Bound " {
		t.Errorf("claims are %q, want two that are bound", claims)
	}
	nodes := strings.Fields(kubectl(t, c, "get", "pod", "-l", "app=pair", "-o", "jsonpath={range .items[*]}{.spec.nodeName} {end}"))
	if len(nodes) != 2 || nodes[0] == nodes[1] {
		t.Errorf("pods run on %q, want two nodes", nodes)
	}
	for i := range 2 {
		want := fmt.Sprintf("pair-%d uid 65532 starts 1", i)
		if got, err := get(podURL(t, c, fmt.Sprintf("pair-%d", i))); got != want || err != nil {
			t.Errorf("pod says %q, %v; want %q", got, err, want)
		}
	}
}

// testNodeLoss kills the machine below pair-0 and boots it again.
func testNodeLoss(t *testing.T, c *cluster.Cluster) {
	url := podURL(t, c, "pair-0")
	name := kubectl(t, c, "get", "pod", "pair-0", "-o", "jsonpath={.spec.nodeName}")
	node := 1
	for ; c.NodeName(node) != name; node++ {
		if node > c.Nodes() {
			t.Fatalf("no node is named %q", name)
		}
	}
	if err := c.NodeStop(node); err != nil {
		t.Fatal(err)
	}
	if got, err := get(url); err == nil {
		t.Errorf("a pod of a stopped node says %q", got)
	}
	other := podURL(t, c, "pair-1")
	if _, err := get(other); err != nil {
		t.Errorf("the other node's pod: %v", err)
	}
	if err := c.NodeStart(node); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, time.Minute, func() error {
		got, err := get(podURL(t, c, "pair-0"))
		if want := "pair-0 uid 65532 starts 2"; err == nil && got != want {
			err = fmt.Errorf("pod says %q, want %q: its volume has survived", got, want)
		}
		return err
	})
}

// testAuditLog looks for one change that must be in the log, and for any read.
func testAuditLog(t *testing.T, c *cluster.Cluster) {
	f, err := os.Open(c.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var found bool
	for d := json.NewDecoder(f); ; {
		var e struct {
			Verb      string
			User      struct{ Username string }
			ObjectRef struct{ Resource, Namespace, Name string }
		}
		if err := d.Decode(&e); err == io.EOF || err == io.ErrUnexpectedEOF { // a line may be half written
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch e.Verb {
		case "create", "update", "patch", "delete", "deletecollection":
		default:
			t.Errorf("verb %q is in the log", e.Verb)
		}
		found = found || e.User.Username == "admin" && e.ObjectRef.Resource == "statefulsets" &&
			e.ObjectRef.Namespace == "default" && e.ObjectRef.Name == "pair"
	}
	if !found {
		t.Error("the log misses that admin made statefulset default/pair")
	}
}

// testPrograms builds the project's own images and lets each say how it is used.
func testPrograms(t *testing.T, c *cluster.Cluster) {
	list := images.Leeway()
	tars, err := images.Build(t.Context(), images.Options{Root: ".."}, list, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for i, image := range list {
		if err := c.LoadImage(t.Context(), tars[i]); err != nil {
			t.Fatal(err)
		}
		kubectl(t, c, "run", image.Target, "--image="+image.Name, "--image-pull-policy=Never", "--restart=Never", "--", "--help")
		kubectl(t, c, "wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", "pod/"+image.Target)
		if out := kubectl(t, c, "logs", image.Target); !strings.Contains(strings.ToLower(out), "usage") {
			t.Errorf("%s --help says %q", image.Name, out)
		}
	}
}

// testS3 asks the S3 server for its buckets without saying who asks.
func testS3(t *testing.T, c *cluster.Cluster) {
	tar, err := images.S3(t.Context(), images.Options{Root: ".."}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.LoadImage(t.Context(), tar); err != nil {
		t.Fatal(err)
	}
	apply(t, c, "testdata/s3.yaml")
	kubectl(t, c, "wait", "--for=condition=Ready", "--timeout=60s", "pod/s3")
	resp, err := http.Get("http://" + net.JoinHostPort(podIP(t, c, "s3"), "7070") + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusForbidden || !strings.Contains(string(body), "<Code>AccessDenied</Code>") {
		t.Errorf("%s %s: want an S3 server's AccessDenied", resp.Status, body)
	}
}

func kubectl(t *testing.T, c *cluster.Cluster, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func apply(t *testing.T, c *cluster.Cluster, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), string(b)); err != nil {
		t.Fatal(err)
	}
}

func podIP(t *testing.T, c *cluster.Cluster, name string) string {
	t.Helper()
	return kubectl(t, c, "get", "pod", name, "-o", "jsonpath={.status.podIP}")
}

func podURL(t *testing.T, c *cluster.Cluster, name string) string {
	t.Helper()
	return "http://" + net.JoinHostPort(podIP(t, c, name), "8080")
}

// get asks a pod from the host, with little patience.
func get(url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}
