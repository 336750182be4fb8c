package servers_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Each of these makes calls and gives what came of them as text. An error is that
// nothing like it may have come.

type call func(context.Context, *grpc.ClientConn) (string, error)

func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// payload is bytes that no compression makes small, always the same.
func payload(size int) *testpb.Payload {
	var b bytes.Buffer
	for sum := sha256.Sum256(nil); b.Len() < size; sum = sha256.Sum256(sum[:]) {
		b.Write(sum[:])
	}
	return &testpb.Payload{Body: b.Bytes()[:size]}
}

// noted adds metadata, also such that is not text.
func noted(ctx context.Context, more ...string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, append(more,
		"x-note", "one", "x-note", "two", "x-empty", "", "x-note-bin", "\x00\xff\x0a", "x-long", strings.Repeat("long", 1000))...)
}

// described is a status with its details, and what else came with it.
func described(err error, header, trailer metadata.MD, messages ...*testpb.Payload) string {
	var b strings.Builder
	s := status.Convert(err)
	fmt.Fprintf(&b, "%s %q %v\n", s.Code(), s.Message(), s.Details())
	for _, md := range []metadata.MD{header, trailer} {
		for _, name := range slices.Sorted(maps.Keys(md)) {
			fmt.Fprintf(&b, "%s: %q\n", name, md[name])
		}
		fmt.Fprintln(&b)
	}
	for _, p := range messages {
		fmt.Fprintf(&b, "%d %x\n", len(p.GetBody()), sha256.Sum256(p.GetBody()))
	}
	return b.String()
}

func unary(size int, options ...grpc.CallOption) call {
	return func(ctx context.Context, conn *grpc.ClientConn) (string, error) {
		var header, trailer metadata.MD
		options := append(options, grpc.Header(&header), grpc.Trailer(&trailer))
		out, err := testpb.NewTestServiceClient(conn).UnaryCall(noted(ctx), &testpb.SimpleRequest{Payload: payload(size)}, options...)
		if len(out.GetPayload().GetBody()) != size {
			return "", fmt.Errorf("%d bytes came back, want %d (%w)", len(out.GetPayload().GetBody()), size, err)
		}
		return described(err, header, trailer, out.Payload), nil
	}
}

// failures asks for every code, with messages that have to be escaped and details.
func failures(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	said := ""
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		var header, trailer metadata.MD
		_, err := testpb.NewTestServiceClient(conn).UnaryCall(noted(ctx), &testpb.SimpleRequest{
			ResponseStatus: &testpb.EchoStatus{Code: int32(code), Message: "\t100 % of\r\nunicode ☺ 😈\n"},
		}, grpc.Header(&header), grpc.Trailer(&trailer))
		if status.Code(err) != code {
			return "", fmt.Errorf("asked for %s: %w", code, err)
		}
		said += described(err, header, trailer)
	}
	return said, nil
}

// deadline lets calls wait until their time is over.
func deadline(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err := testpb.NewTestServiceClient(conn).UnaryCall(noted(ctx, wait, "yes"), &testpb.SimpleRequest{})
	return described(status.Error(status.Code(err), ""), nil, nil), nil // who notices first words the message
}

func noMethod(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	client := testpb.NewTestServiceClient(conn)
	var header, trailer metadata.MD
	_, err := client.UnimplementedCall(ctx, &testpb.Empty{}, grpc.Header(&header), grpc.Trailer(&trailer))
	other := conn.Invoke(ctx, "/no.Such/Service", &testpb.Empty{}, &testpb.Empty{})
	return described(err, header, trailer) + described(other, nil, nil), nil
}

func serverStream(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	in := &testpb.StreamingOutputCallRequest{}
	for i := range 100 {
		in.ResponseParameters = append(in.ResponseParameters, &testpb.ResponseParameters{Size: int32(i * 997)})
	}
	stream, err := testpb.NewTestServiceClient(conn).StreamingOutputCall(noted(ctx), in)
	if err != nil {
		return "", err
	}
	return received(stream, stream.Recv)
}

func clientStream(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	stream, err := testpb.NewTestServiceClient(conn).StreamingInputCall(noted(ctx))
	if err != nil {
		return "", err
	}
	for i := range 100 {
		if err := stream.Send(&testpb.StreamingInputCallRequest{Payload: payload(i * 997)}); err != nil {
			return "", err
		}
	}
	out, err := stream.CloseAndRecv()
	return fmt.Sprint(out.GetAggregatedPayloadSize(), " ", err), nil
}

// duplex sends messages one by one, each when the one before has come back.
func duplex(messages, size int, options ...grpc.CallOption) call {
	return func(ctx context.Context, conn *grpc.ClientConn) (string, error) {
		stream, err := testpb.NewTestServiceClient(conn).FullDuplexCall(noted(ctx), options...)
		if err != nil {
			return "", err
		}
		for range messages {
			if err := pingPong(stream, size); err != nil {
				return "", err
			}
		}
		if err := stream.CloseSend(); err != nil {
			return "", err
		}
		return received(stream, stream.Recv)
	}
}

// pingPong sends a message and checks that the same comes back.
func pingPong(stream testpb.TestService_FullDuplexCallClient, size int) error {
	in := payload(size)
	if err := stream.Send(&testpb.StreamingOutputCallRequest{Payload: in}); err != nil {
		return err
	}
	out, err := stream.Recv()
	if err == nil && !bytes.Equal(out.Payload.Body, in.Body) {
		err = fmt.Errorf("%d other bytes came back, want %d", len(out.Payload.Body), size)
	}
	return err
}

// received reads a stream to its end.
func received(stream grpc.ClientStream, recv func() (*testpb.StreamingOutputCallResponse, error)) (string, error) {
	var messages []*testpb.Payload
	for {
		out, err := recv()
		if isEnd(err) {
			break
		}
		if err != nil {
			return "", err
		}
		messages = append(messages, out.Payload)
	}
	header, err := stream.Header()
	return described(err, header, stream.Trailer(), messages...), nil
}

// cancelled gives up a stream half way, and one that waits.
func cancelled(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	said := ""
	for _, waits := range []bool{false, true} {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if waits {
			ctx = metadata.AppendToOutgoingContext(ctx, wait, "yes")
		}
		stream, err := testpb.NewTestServiceClient(conn).FullDuplexCall(ctx)
		if err != nil {
			return "", err
		}
		if !waits {
			if err := pingPong(stream, 1000); err != nil {
				return "", err
			}
		}
		cancel()
		_, err = stream.Recv()
		said += described(err, nil, nil)
	}
	return said, nil
}

// many has a hundred streams on one connection.
func many(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	said, failed := make([]string, 100), make([]error, 100)
	var all sync.WaitGroup
	for i := range said {
		all.Go(func() { said[i], failed[i] = duplex(10, i*101)(ctx, conn) })
	}
	all.Wait()
	return strings.Join(said, "\n"), errors.Join(failed...)
}
