package sidecar_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// newObliging starts a model server that answers each request with a prediction and the checksum of its body, and
// misbehaves where a path asks for it. stop ends what it was asked not to end.
func newObliging() (s *httptest.Server, stop func()) {
	gone := make(chan struct{})
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
		switch r.URL.Path {
		case "/bytes":
			w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
			io.Copy(w, pattern(n))
		case "/never":
			select {
			case <-gone:
			case <-r.Context().Done():
			}
		case "/stall": // reads no more and answers nothing, for n milliseconds
			c, _, _ := http.NewResponseController(w).Hijack()
			defer c.Close()
			select {
			case <-gone:
			case <-time.After(time.Duration(n) * time.Millisecond):
			}
		case "/drop": // a reset after n bytes of the body
			io.CopyN(io.Discard, r.Body, n)
			reset(w, "")
		case "/cut": // a reset after n bytes of the answer
			reset(w, cutAnswer[:n])
		default:
			sum := crc32.New(castagnoli)
			io.Copy(sum, r.Body)
			fmt.Fprintf(w, prediction, sum.Sum32())
		}
	}))
	return s, func() { close(gone); s.CloseClientConnections(); s.Close() }
}

// reset says something and resets the connection.
func reset(w http.ResponseWriter, say string) {
	c, _, _ := http.NewResponseController(w).Hijack()
	io.WriteString(c, say)
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

const (
	prediction = `{"model_name":"m","id":"%d","outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[7]}]}`
	cutAnswer  = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"out\r\n7\r\nputs\":[\r\n2\r\n]}\r\n0\r\n\r\n"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func obliging(t testing.TB) *httptest.Server {
	s, stop := newObliging()
	t.Cleanup(stop)
	return s
}

// pattern is n bytes that do not repeat soon.
func pattern(n int64) io.Reader {
	block := make([]byte, 1<<20-3)
	for i := range block {
		block[i] = byte(i*i>>3 ^ i)
	}
	return io.LimitReader(&cycle{block: block}, n)
}

type cycle struct {
	block []byte
	at    int
}

func (c *cycle) Read(b []byte) (int, error) {
	n := copy(b, c.block[c.at:])
	c.at = (c.at + n) % len(c.block)
	return n, nil
}

// bystander is a client that does nothing wrong. All its requests must be answered, exactly, until stop.
func bystander(t testing.TB, traffic string) (stop func()) {
	t.Helper()
	tr := &http.Transport{MaxIdleConnsPerHost: 1}
	c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
	quit, done := make(chan struct{}), make(chan int)
	ask := func(i int) error {
		body := v2(fmt.Sprintf(`%d,%d,"x"`, i%100, i%90))
		resp, err := c.Post(traffic+"/v2/models/m/infer", "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		want := fmt.Sprintf(prediction, crc32.Checksum([]byte(body), castagnoli))
		if err != nil || resp.StatusCode != 200 || string(b) != want {
			return fmt.Errorf("%d %q, %v, want %q", resp.StatusCode, b, err, want)
		}
		return nil
	}
	go func() {
		for i := 0; ; i++ {
			if err := ask(i); err != nil {
				t.Errorf("bystander's request %d: %v", i, err)
			}
			if i%10 == 9 {
				tr.CloseIdleConnections() // and comes back
			}
			select {
			case <-quit:
				tr.CloseIdleConnections()
				done <- i + 1
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() {
		close(quit)
		t.Logf("%d requests of a bystander", <-done)
	}
}

// checksum reads to the end.
func checksum(r io.Reader) (sum uint32, n int64, err error) {
	h := crc32.New(castagnoli)
	n, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return h.Sum32(), n, err
}

// bare connects to an address like http://127.0.0.1:80 and says something.
func bare(t testing.TB, url, say string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(c, bytes.NewReader([]byte(say))); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}
