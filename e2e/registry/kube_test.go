package registry_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
)

// TestKube runs the store kube: against a real API server and etcd, without a
// cluster: the suite, which the end-to-end tests run on one too, and races and
// listings, at their full size with LEEWAY_TEST_LONG.
func TestKube(t *testing.T) {
	config := startKube(t)
	cmd := child.Command(t.Context(), "go", "test", "-trimpath", "-count=1", "-v", "-timeout", "60m", "-run", "TestReal", "./registry/kube")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0", "LEEWAY_TEST_KUBECONFIG="+config)
	out, err := child.Run(cmd)
	for line := range strings.Lines(out) {
		if strings.Contains(line, "--- ") || strings.Contains(line, "load.go") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, "--- PASS: TestReal"); n < 26 || strings.Contains(out, "--- SKIP") {
		t.Errorf("%d tests have passed, want 26 or more and none skipped", n)
	}
}

// kubeToken is the token of who may do everything.
const kubeToken = "only-a-test"

// startKube starts etcd and an API server with Leeway's custom resources, which
// end with the test, and gives the kubeconfig.
func startKube(t *testing.T) (config string) {
	t.Helper()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	build := child.Command(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/kube", "./kube")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if _, err := child.Run(build); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if err := os.Symlink("kube", filepath.Join(dir, part)); err != nil {
			t.Fatal(err)
		}
	}
	etcd, peer, address := "http://"+freePort(t), "http://"+freePort(t), freePort(t)
	startPart(t, dir+"/etcd", "--data-dir="+dir+"/data", "--unsafe-no-fsync", "--quota-backend-bytes=8589934592",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, "--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
	_, port, _ := net.SplitHostPort(address)
	key := file("key.pem", newKey(t))
	startPart(t, dir+"/kube-apiserver", "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--secure-port="+port, "--cert-dir="+dir+"/certificates",
		"--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount", "--authorization-mode=AlwaysAllow",
		"--token-auth-file="+file("tokens.csv", kubeToken+",admin,admin\n"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+key, "--service-account-signing-key-file="+key)
	config = file("kubeconfig", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {token: %s}}],
clusters: [{name: c, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}], contexts: [{name: c, context: {cluster: c, user: u}}]}`, kubeToken, address))
	await(t, "https://"+address+"/readyz")
	for _, args := range [][]string{
		{"apply", "-f", "../../manifests/base/crd"},
		{"wait", "--for=condition=Established", "--timeout=1m", "crd", "modelversions.leeway.dev"},
	} {
		if _, err := child.Run(child.Command(t.Context(), dir+"/kubectl", append([]string{"--kubeconfig", config}, args...)...)); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

// startPart starts a program that ends with the test.
func startPart(t *testing.T, program string, args ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := child.Command(ctx, program, args...)
	var said child.Output
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it is killed
		if t.Failed() {
			t.Logf("%s said at the end:\n%s", filepath.Base(program), said.Tail(4000))
		}
	})
}

// await waits for a server to say that it is ready.
func await(t *testing.T, url string) {
	t.Helper()
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer c.CloseIdleConnections()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+kubeToken)
		answer, err := c.Do(r)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("it answers %s", answer.Status)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", url, err)
		}
	}
}

func newKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: b}))
}
