package servers_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// large is the size of a large message; both ends must be told that they may take it.
const large = 8 << 20

// TestGRPC makes calls of every kind, which have nothing to do with models. What
// a caller finds out must not depend on the sidecar.
func TestGRPC(t *testing.T) {
	dir := t.TempDir()
	build(t, dir)
	server := newEcho(t)
	_, port, err := net.SplitHostPort(server.address)
	if err != nil {
		t.Fatal(err)
	}
	s := startSidecar(t.Context(), t, dir+"/leeway-sidecar", "", port)
	direct, through := dial(t, server.address), dial(t, s.address)
	for _, c := range []struct {
		name string
		call call
	}{
		{"unary", unary(100)},
		{"unary, 8 MB", unary(large)},
		{"unary, gzip", unary(100_000, grpc.UseCompressor(gzip.Name))},
		{"unary, errors", failures},
		{"unary, deadline", deadline},
		{"no such method", noMethod},
		{"server's stream", serverStream},
		{"client's stream", clientStream},
		{"both stream", duplex(10, 1000)},
		{"both stream, 8 MB", duplex(3, large)},
		{"both stream, gzip", duplex(100, 10_000, grpc.UseCompressor(gzip.Name))},
		{"stream, cancelled", cancelled},
		{"a hundred streams at once", many},
		{"reflection", reflected},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			want, err := c.call(ctx, direct)
			if err != nil {
				t.Fatal("without the sidecar:", err)
			}
			have, err := c.call(ctx, through)
			if err != nil {
				t.Fatal("through the sidecar:", err)
			}
			if have != want || want == "" {
				t.Errorf("through the sidecar:\n%.2000s\nwithout it:\n%.2000s", have, want)
			}
		})
	}
	s.counted(t, counts{}) // no inference, and nothing opaque
	beginTLS(t, s.address)
	s.counted(t, counts{"opaque tls": 1}) // so the zeros above mean something
	t.Run("server that goes away", func(t *testing.T) { goesAway(t, server, through) })
	s.counted(t, counts{"opaque tls": 1})
	const inFlight = "\nleeway_requests_in_flight{model_name=\"rides\",model_version=\"1\"} "
	await(t, "the end of calls", nil, func() error {
		if waiting := server.waiting.Load(); waiting > 0 || !strings.Contains(s.metrics(t), inFlight+"0\n") {
			return fmt.Errorf("%d calls that were given up still wait, or some are in flight", waiting)
		}
		return nil
	})
}

// beginTLS opens a connection that can't be followed.
func beginTLS(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("\x16\x03\x01\x02\x00\x01")); err != nil {
		t.Fatal(err)
	}
}

// goesAway stops a server while a stream is open: it says GOAWAY, and takes the
// stream to its end.
func goesAway(t *testing.T, server *echo, conn *grpc.ClientConn) {
	client := testpb.NewTestServiceClient(conn)
	stream, err := client.FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := pingPong(stream, 1000); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(stopped)
	}()
	await(t, "the server's end", nil, func() error {
		_, err := client.UnaryCall(t.Context(), &testpb.SimpleRequest{})
		if status.Code(err) != codes.Unavailable {
			return fmt.Errorf("a new call: %w, want it to be refused", err)
		}
		return nil
	})
	for range 10 {
		if err := pingPong(stream, 100_000); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !isEnd(err) {
		t.Errorf("the stream ends with %v", err)
	}
	<-stopped
}

func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(2*large), grpc.MaxCallSendMsgSize(2*large)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
