package sidecar_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/sidecar"
)

// unencrypted starts a server that speaks HTTP/2 without TLS, and HTTP/1.1.
func unencrypted(t testing.TB, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// http2Client speaks nothing but HTTP/2 without TLS.
func http2Client(t testing.TB) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// everything answers in the ways that a path asks for.
func everything(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/echo":
		w.Header().Set("Trailer", "Sum")
		n, _ := io.Copy(w, r.Body)
		w.Header().Set("Sum", fmt.Sprint(n))
	case "/large":
		w.Write(bytes.Repeat([]byte("large "), 200_000))
	case "/none":
		w.WriteHeader(204)
	case "/hints":
		w.WriteHeader(103)
		fmt.Fprint(w, "hinted")
	case "/pieces":
		for i := range 20 {
			fmt.Fprintln(w, i)
			w.(http.Flusher).Flush()
		}
	case "/abort":
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "/v2/models/m/infer":
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, `{"model_name":"m","outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[7]}]}`)
	default:
		http.NotFound(w, r)
	}
}

// answer is all that a client learns.
func answer(c *http.Client, method, url, body string) string {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Long", strings.Repeat("header ", 1000))
	resp, err := c.Do(req)
	if err != nil {
		return "no answer"
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	resp.Header.Del("Date")
	return fmt.Sprint(resp.Proto, resp.Status, resp.Header, len(b), string(b[:min(len(b), 300)]), err != nil, resp.Trailer)
}

func TestHTTP2(t *testing.T) {
	up := unencrypted(t, everything)
	r := start(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1, Profile: trained(t, 0)})
	direct, through := http2Client(t), http2Client(t)
	requests := [][3]string{
		{"GET", "/none"}, {"HEAD", "/large"}, {"GET", "/large"}, {"GET", "/pieces"}, {"GET", "/hints"}, {"GET", "/?"},
		{"POST", "/echo", "small"}, {"POST", "/echo", strings.Repeat("0123456789", 100_000)},
		{"POST", "/v2/models/m/infer", v2(`1,2,"x"`)},
	}
	const each = 5
	var wg sync.WaitGroup
	for _, q := range requests {
		for range each {
			wg.Go(func() {
				want, have := answer(direct, q[0], up.URL+q[1], q[2]), answer(through, q[0], r.traffic+q[1], q[2])
				if d := cmp.Diff(want, have); d != "" || !strings.HasPrefix(want, "HTTP/2.0") {
					t.Errorf("%s %s (-direct +sidecar):\n%s", q[0], q[1], d)
				}
			})
		}
	}
	wg.Wait()
	r.eventually(map[string]float64{
		`leeway_request_duration_seconds_count{code="2xx",protocol="other"`: float64(each * (len(requests) - 2)),
		`leeway_request_duration_seconds_count{code="4xx",protocol="other"`: each,
		`leeway_request_duration_seconds_count{code="2xx",protocol="v2"`:    each,
		`leeway_captures_total{result="observed"`:                           each,
		`leeway_requests_in_flight`:                                         0,
	})
	r.followed()
}

// followed fails where a connection was not.
func (r *running) followed() {
	r.t.Helper()
	m := r.metrics()
	for k, v := range m {
		if strings.HasPrefix(k, "leeway_opaque_connections_total{") && v != 0 {
			r.t.Errorf("%s: %v", k, v)
		}
	}
}

func TestHTTP2Failures(t *testing.T) {
	up := unencrypted(t, everything)
	r := start(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1})
	direct, through := http2Client(t), http2Client(t)
	want, have := answer(direct, "GET", up.URL+"/abort", ""), answer(through, "GET", r.traffic+"/abort", "")
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("(-direct +sidecar):\n%s", d)
	}
	r.eventually(map[string]float64{
		`leeway_upstream_errors_total{reason="reset"`:                       1,
		`leeway_request_duration_seconds_count{code="5xx",protocol="other"`: 1,
		`leeway_requests_in_flight`:                                         0,
	})
	// A client that gives a request up gives up nothing else on its connection.
	hold := make(chan struct{})
	slow := unencrypted(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	r = start(t, sidecar.Config{Upstream: slow.URL, SampleRatio: 1})
	done := make(chan string, 1)
	go func() { done <- answer(through, "GET", r.traffic+"/", "") }()
	r.eventually(map[string]float64{`leeway_requests_in_flight`: 1})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		req, _ := http.NewRequestWithContext(ctx, "GET", r.traffic+"/", nil)
		_, err := through.Do(req)
		left <- err
	}()
	r.eventually(map[string]float64{`leeway_requests_in_flight`: 2})
	cancel()
	if err := <-left; err == nil {
		t.Error("an answer after it was given up")
	}
	r.eventually(map[string]float64{`leeway_requests_in_flight`: 1})
	close(hold)
	if got := <-done; !strings.HasPrefix(got, "HTTP/2.0200 OK") {
		t.Error(got)
	}
	r.eventually(map[string]float64{
		`leeway_requests_in_flight`:                                         0,
		`leeway_request_duration_seconds_count{code="2xx",protocol="other"`: 1,
	})
	r.followed()
}

// A server may answer before it has read the request.
func TestHTTP2EarlyAnswers(t *testing.T) {
	up := unencrypted(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(413) })
	r := start(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1})
	through := http2Client(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				got := answer(through, "POST", r.traffic+"/", strings.Repeat("x", 1<<20))
				if !strings.HasPrefix(got, "HTTP/2.0413") {
					t.Error(got)
				}
			}
		})
	}
	wg.Wait()
	r.eventually(map[string]float64{`leeway_requests_in_flight`: 0})
	r.followed()
}

// A server that goes away answers what it has begun to; a drain waits for it.
func TestHTTP2GoAwayAndDrain(t *testing.T) {
	begun, hold := make(chan struct{}, 3), make(chan struct{})
	up := unencrypted(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-hold
	})
	r := start(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1, Grace: 10 * time.Second})
	through := http2Client(t)
	done := make(chan string, 3)
	for range 3 {
		go func() { done <- answer(through, "POST", r.traffic+"/", "body") }()
	}
	for range 3 {
		<-begun
	}
	r.eventually(map[string]float64{`leeway_requests_in_flight`: 3})
	drained := make(chan int, 1)
	go func() { status, _ := r.do("POST", r.admin+"/drain", ""); drained <- status }()
	gone := make(chan error, 1)
	go func() { gone <- up.Config.Shutdown(context.Background()) }()
	select {
	case <-drained:
		t.Error("drained with requests under way")
	case <-time.After(100 * time.Millisecond):
	}
	close(hold)
	for range 3 {
		if got := <-done; !strings.HasPrefix(got, "HTTP/2.0200 OK") {
			t.Error(got)
		}
	}
	through.CloseIdleConnections() // a server waits for connections that have only begun
	if d, g := <-drained, <-gone; d != 200 || g != nil {
		t.Errorf("drain %d, shutdown %v", d, g)
	}
	r.eventually(map[string]float64{`leeway_request_duration_seconds_count{code="2xx",protocol="other"`: 3})
	r.followed()
}

// Without an upstream, an HTTP/2 connection ends at once.
func TestHTTP2Refused(t *testing.T) {
	up := unencrypted(t, everything)
	up.Close()
	r := start(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1})
	c, err := net.Dial("tcp", strings.TrimPrefix(r.traffic, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(3 * time.Second))
	fmt.Fprint(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	if b, err := io.ReadAll(c); len(b) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%q, %v", b, err)
	}
	r.eventually(map[string]float64{`leeway_upstream_errors_total{reason="refused"`: 1, `leeway_requests_in_flight`: 0})
	r.followed()
}
