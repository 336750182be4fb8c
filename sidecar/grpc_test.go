package sidecar_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/leeway-dev/leeway/sidecar"
)

const service = "/inference.GRPCInferenceService/"

// raw passes messages of gRPC as they are.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(b)
	return nil
}

// grpcServer answers by method; every message is answered with itself, unless it names a status: then that is the
// answer.
func grpcServer(t testing.TB, hold <-chan struct{}) (*grpc.Server, string) {
	t.Helper()
	handle := func(_ any, s grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(s)
		s.SetHeader(metadata.Pairs("header", strings.Repeat("h", 100)))
		s.SetTrailer(metadata.Pairs("trailer", "t"))
		var last []byte
		for n := 0; ; n++ {
			var m []byte
			switch err := s.RecvMsg(&m); {
			case errors.Is(err, io.EOF) && strings.HasSuffix(method, "/Up"):
				last = fmt.Appendf(nil, "%d messages", n)
				return s.SendMsg(&last)
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			if code, ok := strings.CutPrefix(string(m), "status "); ok {
				c, _ := strconv.Atoi(code)
				return status.Error(codes.Code(c), "asked for")
			}
			times := 1
			switch {
			case strings.HasSuffix(method, "/Up"):
				times = 0
			case strings.HasSuffix(method, "/Down"):
				times = 50
			case strings.HasSuffix(method, "/Hold"):
				select {
				case <-hold:
				case <-s.Context().Done():
					return s.Context().Err()
				}
			}
			for range times {
				if err := s.SendMsg(&m); err != nil {
					return err
				}
			}
		}
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(handle), grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(64<<20))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { s.Serve(l); close(served) }()
	t.Cleanup(func() { s.Stop(); <-served })
	return s, l.Addr().String()
}

func grpcClient(t testing.TB, addr string) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// call sends messages, reads until the end, and returns all that a client learns.
func call(ctx context.Context, c *grpc.ClientConn, method string, messages ...string) string {
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err.Error()
	}
	for _, m := range messages {
		b := []byte(m)
		if err := s.SendMsg(&b); err != nil {
			break
		}
	}
	s.CloseSend()
	var out strings.Builder
	for n := 0; ; n++ {
		var m []byte
		if err := s.RecvMsg(&m); err != nil {
			h, _ := s.Header()
			fmt.Fprintln(&out, n, err, h.Get("header"), s.Trailer().Get("trailer"))
			return out.String()
		}
		fmt.Fprintf(&out, "%d %.100s\n", len(m), m)
	}
}

func TestGRPC(t *testing.T) {
	_, addr := grpcServer(t, nil)
	r := start(t, sidecar.Config{Upstream: "http://" + addr, SampleRatio: 1, Profile: trained(t, 0)})
	direct, through := grpcClient(t, addr), grpcClient(t, strings.TrimPrefix(r.traffic, "http://"))
	calls := [][]string{
		{service + "ModelInfer", "small"},
		{service + "ModelInfer", strings.Repeat("0123456789", 100_000)},
		{service + "ModelInfer", "status 3"},
		{service + "ModelInfer", "status 13"},
		{service + "ModelStreamInfer", "one", "two", "three"},
		{"/t.T/Up", "a", "b", "", "c"},
		{"/t.T/Down", "down"},
		{"/t.T/Both", "a", strings.Repeat("b", 500_000), "c"},
		{"/t.T/Fail", "status 14"},
	}
	const each = 6
	var wg sync.WaitGroup
	for _, q := range calls {
		for range each {
			wg.Go(func() {
				want, have := call(t.Context(), direct, q[0], q[1:]...), call(t.Context(), through, q[0], q[1:]...)
				if d := cmp.Diff(want, have); d != "" {
					t.Errorf("%s (-direct +sidecar):\n%s", q[0], d)
				}
			})
		}
	}
	wg.Wait()
	r.eventually(map[string]float64{
		`leeway_request_duration_seconds_count{code="2xx",protocol="v2"`:    (2 + 3) * each,
		`leeway_request_duration_seconds_count{code="4xx",protocol="v2"`:    each,
		`leeway_request_duration_seconds_count{code="5xx",protocol="v2"`:    each,
		`leeway_request_duration_seconds_count{code="2xx",protocol="other"`: 3 * each,
		`leeway_request_duration_seconds_count{code="5xx",protocol="other"`: each,
		`leeway_captures_total{result="too_large"`:                          each,
		`leeway_requests_in_flight`:                                         0,
	})
	// Four unary calls, and three messages of a stream each way.
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if n, _ := sum(r.metrics(), "leeway_captures_total{"); n == (4+6)*each {
			break
		} else if time.Now().After(until) {
			t.Errorf("%v captures, want %v", n, (4+6)*each)
			break
		}
	}
	r.followed()
}

// A drain waits for a stream, and a server that stops gracefully (GOAWAY) ends it properly; what a client cancels
// counts nowhere.
func TestGRPCEnds(t *testing.T) {
	hold := make(chan struct{})
	s, addr := grpcServer(t, hold)
	r := start(t, sidecar.Config{Upstream: "http://" + addr, SampleRatio: 1, Grace: 10 * time.Second})
	through := grpcClient(t, strings.TrimPrefix(r.traffic, "http://"))
	done, cancelled := make(chan string, 1), make(chan string, 1)
	go func() { done <- call(t.Context(), through, "/t.T/Hold", "m") }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { cancelled <- call(ctx, through, "/t.T/Hold", "m") }()
	r.eventually(map[string]float64{`leeway_requests_in_flight`: 2})
	cancel()
	if got := <-cancelled; !strings.Contains(got, "Canceled") {
		t.Error(got)
	}
	r.eventually(map[string]float64{`leeway_requests_in_flight`: 1})
	drained, stopped := make(chan int, 1), make(chan struct{})
	go func() { code, _ := r.do("POST", r.admin+"/drain", ""); drained <- code }()
	go func() { s.GracefulStop(); close(stopped) }()
	select {
	case <-drained:
		t.Error("drained with a stream under way")
	case <-time.After(100 * time.Millisecond):
	}
	close(hold)
	if got := <-done; !strings.HasPrefix(got, "1 m\n1 EOF") {
		t.Error(got)
	}
	if code := <-drained; code != 200 {
		t.Errorf("drain: %d", code)
	}
	<-stopped
	r.eventually(map[string]float64{
		`leeway_requests_in_flight`:                                         0,
		`leeway_request_duration_seconds_count{code="2xx",protocol="other"`: 1,
		`leeway_request_duration_seconds_count{code="4xx",protocol="other"`: 0,
		`leeway_request_duration_seconds_count{code="5xx",protocol="other"`: 0,
	})
	r.followed()
}

// A server that is killed leaves its calls unanswered.
func TestGRPCServerStops(t *testing.T) {
	s, addr := grpcServer(t, nil)
	r := start(t, sidecar.Config{Upstream: "http://" + addr, SampleRatio: 1})
	through := grpcClient(t, strings.TrimPrefix(r.traffic, "http://"))
	done := make(chan string, 1)
	go func() { done <- call(t.Context(), through, "/t.T/Hold", "m") }()
	r.eventually(map[string]float64{`leeway_requests_in_flight`: 1})
	s.Stop()
	if got := <-done; !strings.Contains(got, "Unavailable") {
		t.Error(got)
	}
	r.eventually(map[string]float64{
		`leeway_requests_in_flight`:                                         0,
		`leeway_upstream_errors_total{reason="closed"`:                      1,
		`leeway_request_duration_seconds_count{code="5xx",protocol="other"`: 1,
	})
}
