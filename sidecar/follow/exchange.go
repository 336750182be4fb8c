package follow

import "time"

// Reason says why a connection is no longer followed.
type Reason string

// The reasons, in the order of a connection's life.
const (
	ReasonTLS         Reason = "tls"          // the client began a TLS handshake
	ReasonHTTP2       Reason = "http2"        // HTTP/2 that breaks its own rules
	ReasonNotHTTP     Reason = "not_http"     // no HTTP/1.x start line
	ReasonHead        Reason = "head_limit"   // a head, chunk or trailer line is longer than the limit
	ReasonFraming     Reason = "framing"      // ambiguous or invalid Content-Length, Transfer-Encoding or chunk
	ReasonConnect     Reason = "connect"      // a CONNECT request
	ReasonUpgrade     Reason = "upgrade"      // 101 Switching Protocols
	ReasonUnsolicited Reason = "unsolicited"  // a response nobody asked for
	ReasonPipeline    Reason = "pipeline"     // too many requests wait for an answer
	ReasonMemory      Reason = "memory_limit" // the sink has no room for a partial head
	ReasonPanic       Reason = "panic"        // an error in the follower or its sink
)

// Reasons lists every reason, for counters that exist at 0 from the start.
func Reasons() []Reason {
	return []Reason{ReasonTLS, ReasonHTTP2, ReasonNotHTTP, ReasonHead, ReasonFraming, ReasonConnect, ReasonUpgrade, ReasonUnsolicited, ReasonPipeline, ReasonMemory, ReasonPanic}
}

// Outcome says how an exchange ended.
type Outcome uint8

const (
	// Answered: the whole response passed.
	Answered Outcome = iota
	// ServerClosed: the server ended its direction before the response was whole.
	ServerClosed
	// ServerReset: the same, by a reset.
	ServerReset
	// ClientGone: the connection ended from the client's side before the response did.
	ClientGone
	// Lost: what came of it is not known. The connection became opaque while the response was due, or a server that goes away
	// had not looked at the request.
	Lost
)

// Exchange is one request and its response. After Done it is used for another.
type Exchange struct {
	Start    time.Time // the request's head was complete
	End      time.Time // the last byte of the response was read, or the exchange was given up
	Status   int       // final status; 0 until there is one. When a call of gRPC is done: what stands for its grpc-status
	GRPC     bool      // a call of gRPC
	Outcome  Outcome
	Value    any  // the sink's own
	Complete bool // the request's body has passed whole
	Early    bool // the response ended before the request's body did

	head bool // HEAD: the response has no body whatever its head says
	next *Exchange
}

// Head is what a message's head says. Its slices are valid during the call only.
type Head struct {
	Method, Target, ContentType []byte
	Length                      int64 // Content-Length, −1 without
	// Encoding is the Content-Encoding, nil without one or with identity, and all of them where there are several.
	Encoding []byte
	// HeaderLength is the Inference-Header-Content-Length, −1 without; what is no length is longer than any body.
	HeaderLength int64
	// GRPCEncoding is how a call of gRPC compresses those messages that say they are compressed.
	GRPCEncoding []byte
}

// Sink is told what passes. Its methods are called from within Request, Response and the end calls, and must not block.
type Sink interface {
	// Request: a request head is complete.
	Request(*Exchange, Head)
	// RequestBody: decoded body bytes (no chunk framing). The slice is the relay's own.
	RequestBody(*Exchange, []byte)
	// Response: the head of the final response is complete.
	Response(*Exchange, Head)
	// ResponseBody: decoded body bytes.
	ResponseBody(*Exchange, []byte)
	// Done: called exactly once for every exchange announced by Request.
	Done(*Exchange)
	// Opaque: called at most once; nothing follows.
	Opaque(Reason)
	// Reserve asks for n more bytes of memory for a partial head, negative n gives back.
	Reserve(n int) bool
}
