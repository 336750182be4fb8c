package servers_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

// wait is the metadata that makes a call wait until it is given up.
const wait = "x-wait"

// echo answers every message with its payload, and a call's metadata with the
// same in its header and its trailer.
type echo struct {
	testpb.UnimplementedTestServiceServer
	*grpc.Server
	address string
	waiting atomic.Int64 // calls that nobody has given up yet
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &echo{
		Server:  grpc.NewServer(grpc.MaxRecvMsgSize(2*large), grpc.MaxSendMsgSize(2*large)),
		address: l.Addr().String(),
	}
	testpb.RegisterTestServiceServer(s.Server, s)
	reflection.Register(s.Server)
	ended := make(chan error)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// greet sends back the metadata of a call that begins with x-, and waits if it is
// told to.
func (s *echo) greet(ctx context.Context, header, trailer func(metadata.MD)) error {
	in, _ := metadata.FromIncomingContext(ctx)
	out := metadata.MD{}
	for name, values := range in {
		if strings.HasPrefix(name, "x-") {
			out[name] = values
		}
	}
	header(out)
	trailer(out)
	if in.Get(wait) == nil {
		return nil
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

func (s *echo) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	err := s.greet(ctx,
		func(md metadata.MD) { grpc.SetHeader(ctx, md) },
		func(md metadata.MD) { grpc.SetTrailer(ctx, md) })
	if err != nil {
		return nil, err
	}
	if want := in.GetResponseStatus(); want != nil {
		failed, err := status.New(codes.Code(want.Code), want.Message).WithDetails(
			&errdetails.ErrorInfo{Reason: "asked", Domain: "leeway.dev", Metadata: map[string]string{"text": want.Message}},
			&errdetails.DebugInfo{Detail: strings.Repeat("detail ", 200)})
		if err != nil {
			return nil, err
		}
		return nil, failed.Err()
	}
	return &testpb.SimpleResponse{Payload: in.Payload}, nil
}

func (s *echo) StreamingOutputCall(in *testpb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
	if err := s.greet(stream.Context(), func(md metadata.MD) { stream.SetHeader(md) }, stream.SetTrailer); err != nil {
		return err
	}
	for _, part := range in.ResponseParameters {
		if err := stream.Send(&testpb.StreamingOutputCallResponse{Payload: payload(int(part.Size))}); err != nil {
			return err
		}
	}
	return nil
}

func (s *echo) StreamingInputCall(stream grpc.ClientStreamingServer[testpb.StreamingInputCallRequest, testpb.StreamingInputCallResponse]) error {
	size := 0
	for {
		in, err := stream.Recv()
		if isEnd(err) {
			return stream.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: int32(size)})
		}
		if err != nil {
			return err
		}
		size += len(in.Payload.Body)
	}
}

func (s *echo) FullDuplexCall(stream grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
	if err := s.greet(stream.Context(), func(md metadata.MD) { stream.SetHeader(md) }, stream.SetTrailer); err != nil {
		return err
	}
	for {
		in, err := stream.Recv()
		if isEnd(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&testpb.StreamingOutputCallResponse{Payload: in.Payload}); err != nil {
			return err
		}
	}
}
