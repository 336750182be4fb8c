package main

// traffic says what a load sends.
type traffic struct {
	client      func() client
	connections int
	requests    [][]byte // in turn: what is read should not repeat
	// perS of 0: each connection asks again as soon as it is answered. Else so many requests are due a second, whether
	// or not those before were answered, and latency counts from when a request was due.
	perS float64
}

// client is the load's end of a connection, with one request at a time. What it returns is to be sent.
type client interface {
	open(out []byte) []byte
	ask(out, request []byte) []byte
	// take is shown what came and reports whether the answer is whole.
	take(b, out []byte) ([]byte, bool, error)
}

// result of a load, latencies in µs.
type result struct {
	p50, p99, perS float64
	n              int // answers that count
	asked          int // requests, all of which were answered
}

// wire is what a load speaks.
type wire string

const (
	http1 wire = "JSON over HTTP/1.1"
	grpc  wire = "gRPC"
)

// variety is how many bytes of different requests a load has at least: of one that comes again and again, a processor
// learns where its numbers end.
const variety = 256 << 10

// traffic is requests of so many rows on so many connections.
func (w wire) traffic(connections, rows int) traffic {
	t := traffic{client: func() client { return &client1{} }, connections: connections}
	if w == grpc {
		t.client = func() client { return newClient2() }
	}
	for size := 0; size == 0 || size < variety; {
		r := w.request(random(rows, columns, uint64(len(t.requests)+1)))
		t.requests = append(t.requests, r)
		size += len(r)
	}
	return t
}

func (w wire) request(t table) []byte {
	if w == grpc {
		return prefixed(t.infer())
	}
	return post(t)
}
