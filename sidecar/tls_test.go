package sidecar_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/leeway-dev/leeway/sidecar"
	"github.com/leeway-dev/leeway/sidecar/keypair"
	"github.com/leeway-dev/leeway/sidecar/keypair/keypairtest"
)

// startTLS starts a sidecar to which clients speak TLS, and returns who trusts it.
func startTLS(t testing.TB, cfg sidecar.Config) (r *running, dir string, trust *x509.CertPool) {
	t.Helper()
	dir = t.TempDir()
	trust = keypairtest.Write(t, dir, "one")
	cfg.TLSCert, cfg.TLSKey = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	r = start(t, cfg)
	r.traffic = strings.Replace(r.traffic, "http:", "https:", 1)
	return r, dir, trust
}

// tlsClient speaks HTTP/1.1, or HTTP/2 only.
func tlsClient(t testing.TB, trust *x509.CertPool, http2 bool) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!http2)
	tr.Protocols.SetHTTP2(http2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

// What passes in TLS is observed as it is without, and has receipts.
func TestTLS(t *testing.T) {
	up := model(t)
	r, _, trust := startTLS(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1, Profile: trained(t, 0), Receipts: true, TLSProtocols: []string{"http/1.1"}})
	c := tlsClient(t, trust, false)
	const n = 20
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if got := r.receiptsOf(t, c, "POST", "/v2/models/m/infer", "application/json", v2(`1,2,"x"`, `1,-1e9,"q"`)); len(got) != 1 {
				t.Errorf("receipts %q", got)
			}
		})
	}
	all.Wait()
	r.eventually(map[string]float64{
		`leeway_request_duration_seconds_count{code="2xx",protocol="v2"`: n,
		`leeway_captures_total{result="observed"`:                        n,
		`leeway_feature_observations_total{bin="far_under",feature="b"`:  n,
		`leeway_feature_observations_total{bin="unseen",feature="c"`:     n,
		`leeway_tls_handshake_errors_total`:                              0,
		`leeway_opaque_connections_total{reason="tls"`:                   0,
		`leeway_requests_in_flight`:                                      0,
		`leeway_upstream_errors_total{reason="closed"`:                   0,
	})
	if status, _ := r.do("GET", r.admin+"/healthz", ""); status != 200 {
		t.Errorf("the admin port answers %d without TLS", status)
	}
	// Who does not trust the certificate, and who wants to speak HTTP/2, gets nowhere.
	for _, cfg := range []*tls.Config{{RootCAs: x509.NewCertPool()}, {RootCAs: trust, NextProtos: []string{"h2"}}} {
		if c, err := tls.Dial("tcp", strings.TrimPrefix(r.traffic, "https://"), cfg); err == nil {
			c.Close()
			t.Errorf("a handshake with %q", cfg.NextProtos)
		}
	}
	r.eventually(map[string]float64{`leeway_tls_handshake_errors_total`: 2})
}

func TestTLSHTTP2(t *testing.T) {
	up := unencrypted(t, everything)
	r, _, trust := startTLS(t, sidecar.Config{
		Upstream: up.URL, SampleRatio: 1, Profile: trained(t, 0), TLSProtocols: []string{"h2", "http/1.1"},
	})
	for _, http2 := range []bool{false, true} {
		c, direct := tlsClient(t, trust, http2), http.DefaultClient
		if http2 {
			direct = http2Client(t)
		}
		for _, q := range [][3]string{
			{"GET", "/large"}, {"GET", "/pieces"}, {"GET", "/hints"}, {"HEAD", "/large"}, {"GET", "/abort"},
			{"POST", "/echo", strings.Repeat("0123456789", 100_000)}, {"POST", "/v2/models/m/infer", v2(`1,2,"x"`)},
		} {
			want, have := answer(direct, q[0], up.URL+q[1], q[2]), answer(c, q[0], r.traffic+q[1], q[2])
			if want != have {
				t.Errorf("HTTP/2 %v, %s %s:\n%.200s\nand directly\n%.200s", http2, q[0], q[1], have, want)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
	r.eventually(map[string]float64{`leeway_captures_total{result="observed"`: 2, `leeway_requests_in_flight`: 0})
	r.followed()
}

func TestTLSGRPC(t *testing.T) {
	_, addr := grpcServer(t, nil)
	r, _, trust := startTLS(t, sidecar.Config{Upstream: "http://" + addr, SampleRatio: 1, TLSProtocols: []string{"h2"}})
	c, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(r.traffic, "https://"),
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(trust, "")),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	direct := grpcClient(t, addr)
	for _, q := range [][]string{
		{service + "ModelInfer", "small"}, {service + "ModelInfer", "status 3"}, {"/t.T/Down", "down"},
		{"/t.T/Both", "a", strings.Repeat("b", 500_000), "c"}, {service + "ModelStreamInfer", "one", "two"},
	} {
		want, have := call(t.Context(), direct, q[0], q[1:]...), call(t.Context(), c, q[0], q[1:]...)
		if want != have {
			t.Errorf("%s:\n%.300s\nand directly\n%.300s", q[0], have, want)
		}
	}
	r.eventually(map[string]float64{
		`leeway_request_duration_seconds_count{code="2xx",protocol="v2"`:    1 + 2,
		`leeway_request_duration_seconds_count{code="4xx",protocol="v2"`:    1,
		`leeway_request_duration_seconds_count{code="2xx",protocol="other"`: 2,
	})
	r.followed()
}

// A new certificate is taken while connections with the old one live on.
func TestTLSReload(t *testing.T) {
	r, dir, one := startTLS(t, sidecar.Config{Upstream: model(t).URL, SampleRatio: 1})
	old := tlsClient(t, one, false)
	get := func(c *http.Client) error {
		resp, err := c.Post(r.traffic+"/v1/models/m:predict", "application/json", strings.NewReader(`{"instances":[[1]]}`))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := get(old); err != nil {
		t.Fatal(err)
	}
	two := keypairtest.Write(t, dir, "two")
	time.Sleep(keypair.Every)
	if err := get(tlsClient(t, two, false)); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	if err := get(tlsClient(t, one, false)); err == nil {
		t.Error("a new connection with the old certificate")
	}
	if err := get(old); err != nil {
		t.Errorf("on a connection from before: %v", err)
	}
}

// A request under way is answered when the sidecar is told to stop, whoever else says nothing; then the connection ends.
func TestTLSDrains(t *testing.T) {
	hold, begun := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-hold
		fmt.Fprint(w, "late")
	}))
	defer up.Close()
	r, _, trust := startTLS(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1, Grace: 10 * time.Second})
	addr := strings.TrimPrefix(r.traffic, "https://")
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: trust})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: m\r\n\r\n")
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	select {
	case err := <-stopped:
		t.Errorf("stopped with a request under way: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(hold)
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(b), "late") {
		t.Errorf("%q, %v", b, err)
	}
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("still running")
	}
}

func TestTLSRefusedConfig(t *testing.T) {
	dir := t.TempDir()
	keypairtest.Write(t, dir, "m")
	good := sidecar.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Upstream: "http://127.0.0.1:1", Model: "m",
		CaptureBudget: 1, MaxBody: 1, Log: zaptest.NewLogger(t),
		TLSCert: filepath.Join(dir, "tls.crt"), TLSKey: filepath.Join(dir, "tls.key"),
	}
	for say, change := range map[string]func(*sidecar.Config){
		"both a certificate and its key": func(c *sidecar.Config) { c.TLSKey = "" },
		"set both files":                 func(c *sidecar.Config) { c.TLSCert = "" },
		"no such file":                   func(c *sidecar.Config) { c.TLSCert += "x" },
		"with key":                       func(c *sidecar.Config) { c.TLSKey = c.TLSCert },
		"want http/1.1, h2":              func(c *sidecar.Config) { c.TLSProtocols = []string{"spdy"} },
		"or both":                        func(c *sidecar.Config) { c.TLSProtocols = []string{"h2", "h2"} },
	} {
		cfg := good
		change(&cfg)
		if _, err := sidecar.New(cfg); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
}
