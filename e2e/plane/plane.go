// Package plane runs the control plane of a Kubernetes cluster without the
// cluster: etcd, the API server and, if asked to, controllers, as processes of
// this machine on loopback ports. There is no node and nothing needs root.
package plane

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
)

// Token is the token of who may do everything.
const Token = "only-a-test"

// patience is how long the API server may take to be ready.
const patience = 3 * time.Minute

// Options say where and what. Dir, an absolute path, must be set, and Module or
// Program.
type Options struct {
	Dir     string // for programs, data and logs
	Module  string // folder of the module e2e, which has the source of the program kube
	Program string // kube, where it has been built already
	// AuditPolicy is a file; empty: there is no audit log.
	AuditPolicy string
	// Controllers are those that kube-controller-manager runs; none: it isn't run.
	Controllers []string
	// Authorization is AlwaysAllow, if it is empty, or RBAC.
	Authorization string
}

// Plane is a control plane that runs.
type Plane struct {
	URL        string // of the API server
	Kubeconfig string // of who may do everything
	AuditLog   string

	dir   string
	parts []part
}

type part struct {
	name  string
	said  *child.Output
	stop  context.CancelFunc
	ended <-chan struct{}
}

// Start builds the programs and starts them. They end with Close, or with this
// program. If it fails, nothing of it runs.
func Start(ctx context.Context, o Options) (_ *Plane, err error) {
	p := &Plane{dir: o.Dir, AuditLog: filepath.Join(o.Dir, "audit.log")}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, p.Said())
			p.Close()
		}
	}()
	if err := p.build(ctx, o); err != nil {
		return nil, err
	}
	etcd, err := p.startStore()
	if err != nil {
		return nil, err
	}
	if err := p.startServer(ctx, etcd, o); err != nil {
		return nil, err
	}
	if len(o.Controllers) > 0 {
		return p, p.start("kube-controller-manager", "--kubeconfig="+p.Kubeconfig, "--leader-elect=false", "--secure-port=0",
			"--kube-api-qps=200", "--kube-api-burst=400", "--controllers="+strings.Join(o.Controllers, ","))
	}
	return p, nil
}

// build makes the programs, which are one file.
func (p *Plane) build(ctx context.Context, o Options) error {
	const version = "-X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37"
	kube := o.Program
	if kube == "" {
		kube = p.path("kube")
		cmd := child.Command(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w "+version, "-o", kube, "./kube")
		cmd.Dir, cmd.Env = o.Module, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
		if _, err := child.Run(cmd); err != nil {
			return err
		}
	}
	for _, part := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"} {
		if err := os.Symlink(kube, p.path(part)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) startStore() (url string, err error) {
	client, err := FreePort()
	if err != nil {
		return "", err
	}
	peer, err := FreePort()
	if err != nil {
		return "", err
	}
	url = "http://" + client
	return url, p.start("etcd", "--data-dir="+p.path("data"), "--unsafe-no-fsync", "--quota-backend-bytes=8589934592",
		"--listen-client-urls="+url, "--advertise-client-urls="+url, "--listen-peer-urls=http://"+peer,
		"--initial-advertise-peer-urls=http://"+peer, "--initial-cluster=default=http://"+peer)
}

func (p *Plane) startServer(ctx context.Context, etcd string, o Options) error {
	address, err := FreePort()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	if o.Authorization == "" {
		o.Authorization = "AlwaysAllow"
	}
	p.URL, p.Kubeconfig = "https://"+address, p.path("kubeconfig")
	if err := errors.Join(
		os.WriteFile(p.path("key.pem"), key, 0o600),
		os.WriteFile(p.path("tokens.csv"), []byte(Token+",admin,admin,system:masters\n"), 0o600),
		WriteKubeconfig(p.Kubeconfig, p.URL, Token),
	); err != nil {
		return err
	}
	args := []string{"--etcd-servers=" + etcd, "--bind-address=127.0.0.1", "--secure-port=" + port, "--cert-dir=" + p.path("certificates"),
		"--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount", "--authorization-mode=" + o.Authorization,
		"--token-auth-file=" + p.path("tokens.csv"), "--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + p.path("key.pem"), "--service-account-signing-key-file=" + p.path("key.pem")}
	if o.AuditPolicy != "" {
		args = append(args, "--audit-policy-file="+o.AuditPolicy, "--audit-log-path="+p.AuditLog, "--audit-log-maxsize=4096")
	}
	if err := p.start("kube-apiserver", args...); err != nil {
		return err
	}
	return answers(ctx, p.URL+"/readyz", p.parts[len(p.parts)-1].ended)
}

func (p *Plane) start(name string, args ...string) error {
	ctx, stop := context.WithCancel(context.Background())
	cmd, said := child.Command(ctx, p.path(name), args...), &child.Output{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		stop()
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // most are killed
	}()
	p.parts = append(p.parts, part{name, said, stop, ended})
	return nil
}

// Close ends all parts.
func (p *Plane) Close() {
	for i := len(p.parts) - 1; i >= 0; i-- {
		p.parts[i].stop()
		<-p.parts[i].ended
	}
}

// Said is what the parts said last.
func (p *Plane) Said() string {
	var b strings.Builder
	for _, part := range p.parts {
		fmt.Fprintf(&b, "%s said at the end:\n%s\n", part.name, part.said.Tail(4000))
	}
	return b.String()
}

// Kubectl runs kubectl as who may do everything.
func (p *Plane) Kubectl(ctx context.Context, args ...string) (string, error) {
	return child.Run(child.Command(ctx, p.path("kubectl"), append([]string{"--kubeconfig", p.Kubeconfig}, args...)...))
}

func (p *Plane) path(name string) string { return filepath.Join(p.dir, name) }

// WriteKubeconfig writes a file for clients that have a token.
func WriteKubeconfig(path, server, token string) error {
	return os.WriteFile(path, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {token: %s}}],
clusters: [{name: c, cluster: {server: "%s", insecure-skip-tls-verify: true}}], contexts: [{name: c, context: {cluster: c, user: u}}]}`, token, server), 0o600)
}

// FreePort is an address on loopback that nobody listens on.
func FreePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// answers waits for a server to say that it is ready, for as long as it runs.
func answers(ctx context.Context, url string, ended <-chan struct{}) error {
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer c.CloseIdleConnections()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+Token)
		answer, err := c.Do(r)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("it answers %s", answer.Status)
		}
		select {
		case <-ended:
			return fmt.Errorf("%s: its program has ended", url)
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", url, err)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
}

func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	b, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: b}), nil
}
