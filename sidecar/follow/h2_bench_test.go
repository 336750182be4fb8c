package follow_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/sidecar/follow"
)

// silent is a sink that wants nothing.
type silent struct{}

func (silent) Request(*follow.Exchange, follow.Head)  {}
func (silent) RequestBody(*follow.Exchange, []byte)   {}
func (silent) Response(*follow.Exchange, follow.Head) {}
func (silent) ResponseBody(*follow.Exchange, []byte)  {}
func (silent) Done(*follow.Exchange)                  {}
func (silent) Opaque(follow.Reason)                   { panic("opaque") }
func (silent) Reserve(int) bool                       { return true }

// BenchmarkGRPC follows unary calls on one connection, whose headers are in the table by then.
func BenchmarkGRPC(b *testing.B) {
	k := newTalk(b)
	const calls = 1000
	for i := range uint32(calls) {
		k.call(2*i+1, false)
		k.client.data(2*i+1, true, "\x00\x00\x00\x00\x04data")
		k.server.headers(2*i+1, false, ":status", "200", "content-type", "application/grpc")
		k.server.data(2*i+1, false, "\x00\x00\x00\x00\x04data")
		k.server.headers(2*i+1, true, "grpc-status", "0", "grpc-message", "")
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i += calls {
		p := follow.New(silent{})
		at := time.Unix(0, 0)
		for _, s := range k.steps {
			if s.from == "<" {
				p.Request([]byte(s.bytes), at)
			} else {
				p.Response([]byte(s.bytes), at)
			}
		}
	}
}
