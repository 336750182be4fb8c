package sidecar_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/sidecar"
)

// BenchmarkForward compares, in one run, no proxy, the sidecar with every row observed, and httputil.ReverseProxy without observing, on one kept-alive connection.
func BenchmarkForward(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[7]}]}`)
	}))
	defer up.Close()
	target, _ := url.Parse(up.URL)
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	defer tr.CloseIdleConnections()
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: tr})
	defer proxy.Close()
	side := start(b, sidecar.Config{Upstream: up.URL, SampleRatio: 1, Profile: trained(b, 0), CaptureBudget: 16 << 20, MaxBody: 1 << 20})

	for _, rows := range []int{1, 20, 200} {
		row := strings.TrimSuffix(strings.Repeat(`12.345,678.9,"x",`, rows), ",")
		body := v2(row)
		body = strings.Replace(body, "[1,3]", fmt.Sprintf("[%d,3]", rows), 1)
		request := fmt.Sprintf("POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		for name, addr := range map[string]string{"direct": up.URL, "sidecar": side.traffic, "ReverseProxy": proxy.URL} {
			b.Run(fmt.Sprintf("%s/%dB", name, len(body)), func(b *testing.B) {
				conn, err := net.Dial("tcp", strings.TrimPrefix(addr, "http://"))
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				r := bufio.NewReader(conn)
				for b.Loop() {
					io.WriteString(conn, request)
					resp, err := http.ReadResponse(r, nil)
					if err != nil || resp.StatusCode != 200 {
						b.Fatal(resp, err)
					}
					io.Copy(io.Discard, resp.Body)
				}
			})
		}
	}
	m := side.metrics()
	b.Logf("observed %v, dropped %v, unparsable %v", m[`leeway_captures_total{result="observed"`], m[`leeway_captures_total{result="dropped_budget"`], m[`leeway_captures_total{result="unparsable"`])
}
