package follow_test

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/leeway-dev/leeway/sidecar/follow"
)

const bad = follow.ReasonHTTP2

// broken are conversations that cannot be followed.
var broken = []struct {
	name   string
	say    func(*talk)
	reason follow.Reason
}{
	{"a client that does not begin with SETTINGS", func(k *talk) {
		k.steps = k.steps[:1]
		k.client.say(func(f *http2.Framer) error { return f.WritePing(false, [8]byte{}) })
	}, bad},
	{"a server of HTTP/1.1", func(k *talk) {
		k.steps = k.steps[:2]
		k.server.raw("HTTP/1.1 400 Bad Request\r\n\r\n")
	}, bad},
	{"an answer to nothing", func(k *talk) {
		k.server.headers(1, true, ":status", "200")
	}, follow.ReasonUnsolicited},
	{"no continuation", func(k *talk) {
		b := k.client.encode(":method", "GET")
		k.client.open(1, b)
		k.client.data(1, true, "")
	}, bad},
	{"a continuation of another stream", func(k *talk) {
		b := k.client.encode(":method", "GET")
		k.client.open(1, b)
		k.client.say(func(f *http2.Framer) error { return f.WriteContinuation(3, true, nil) })
	}, bad},
	{"a continuation of nothing", func(k *talk) {
		k.client.say(func(f *http2.Framer) error { return f.WriteContinuation(1, true, nil) })
	}, bad},
	{"data before headers", func(k *talk) { k.client.data(1, true, "x") }, bad},
	{"data of no stream", func(k *talk) { k.client.data(0, true, "x") }, bad},
	{"data after the end", func(k *talk) { k.post(1, true); k.client.data(1, false, "x") }, bad},
	{"an end after the end", func(k *talk) { k.post(1, true); k.client.data(1, true, "") }, bad},
	{"trailers after the end", func(k *talk) { k.post(1, true); k.client.headers(1, true, "a", "b") }, bad},
	{"trailers that are not the end", func(k *talk) {
		k.post(1, false)
		k.client.headers(1, false, "a", "b")
	}, bad},
	{"an answer without headers", func(k *talk) { k.post(1, true); k.server.data(1, true, "x") }, bad},
	{"an answer without status", func(k *talk) { k.post(1, true); k.server.headers(1, true, "a", "b") }, bad},
	{"a status that is none", func(k *talk) {
		k.post(1, true)
		k.server.headers(1, true, ":status", "abc")
	}, bad},
	{"101", func(k *talk) { k.post(1, true); k.server.headers(1, false, ":status", "101") }, bad},
	{"100 and the end", func(k *talk) { k.post(1, true); k.server.headers(1, true, ":status", "100") }, bad},
	{"two answers", func(k *talk) {
		k.post(1, true)
		k.server.headers(1, false, ":status", "200")
		k.server.headers(1, false, ":status", "200")
	}, bad},
	{"no method", func(k *talk) { k.client.headers(1, true, ":path", "/p") }, bad},
	{"connect", func(k *talk) {
		k.client.headers(1, false, ":method", "CONNECT", ":authority", "a:1")
	}, follow.ReasonConnect},
	{"a stream of the server's", func(k *talk) {
		k.client.headers(2, true, ":method", "GET", ":path", "/p")
	}, bad},
	{"a push by the client", func(k *talk) {
		k.post(1, true)
		k.client.say(func(f *http2.Framer) error {
			return f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2})
		})
	}, bad},
	{"padding longer than its frame", func(k *talk) {
		k.post(1, false)
		k.client.raw("\x00\x00\x02\x00\x08\x00\x00\x00\x01\x02x")
	}, bad},
	{"padded, and empty", func(k *talk) {
		k.post(1, false)
		k.client.raw("\x00\x00\x00\x00\x08\x00\x00\x00\x01")
	}, bad},
	{"a short reset", func(k *talk) {
		k.post(1, false)
		k.client.raw("\x00\x00\x01\x03\x00\x00\x00\x00\x01x")
	}, bad},
	{"odd settings", func(k *talk) { k.client.raw("\x00\x00\x05\x04\x00\x00\x00\x00\x0012345") }, bad},
	{"settings with an ACK", func(k *talk) {
		k.client.raw("\x00\x00\x06\x04\x01\x00\x00\x00\x00123456")
	}, bad},
	{"a short GOAWAY", func(k *talk) { k.client.raw("\x00\x00\x04\x07\x00\x00\x00\x00\x001234") }, bad},
	{"compression that is none", func(k *talk) {
		k.client.raw("\x00\x00\x02\x01\x05\x00\x00\x00\x01\xff\x7f")
	}, bad},
	{"a table over the limit", func(k *talk) {
		k.client.raw("\x00\x00\x04\x01\x05\x00\x00\x00\x01\x3f\xe2\xff\x03")
	}, follow.ReasonHead},
	{"a table of an absurd size", func(k *talk) {
		k.client.raw("\x00\x00\x07\x01\x05\x00\x00\x00\x01\x3f\xff\xff\xff\xff\xff\x03")
	}, follow.ReasonHead},
	{"a table's size that breaks off", func(k *talk) {
		k.client.raw("\x00\x00\x02\x01\x05\x00\x00\x00\x01\x3f\xe2")
	}, bad},
	{"many fields", func(k *talk) {
		// One entry of the table, named 300 times: short on the wire only.
		k.client.headers(1, true, ":method", "GET", ":path", "/p", "a", strings.Repeat("b", 1000))
		k.client.raw("\x00\x01\x2c\x01\x05\x00\x00\x00\x03" + strings.Repeat("\xbe", 300))
	}, follow.ReasonHead},
	{"a long header", func(k *talk) {
		b := k.client.encode(":method", "GET", "a", strings.Repeat("\x01", follow.MaxHead))
		k.client.open(1, b[:100])
		k.client.say(func(f *http2.Framer) error { return f.WriteContinuation(1, true, b[100:]) })
	}, follow.ReasonHead},
	{"too many streams", func(k *talk) {
		for i := range follow.MaxStreams + 1 {
			k.post(uint32(2*i+1), true)
		}
	}, follow.ReasonPipeline},
}

func TestBrokenHTTP2(t *testing.T) {
	for _, c := range broken {
		t.Run(c.name, func(t *testing.T) {
			k := newTalk(t)
			c.say(k)
			j := cuts(t, k.steps)
			if last := j.lines[len(j.lines)-1]; last != "opaque "+string(c.reason) {
				t.Errorf("the last event is %q, want opaque %s", last, c.reason)
			}
			if j.held != 0 {
				t.Errorf("%d bytes still reserved", j.held)
			}
		})
	}
}

// miser is a sink that has no more than so many bytes.
type miser struct {
	journal
	room int
}

func (m *miser) Reserve(n int) bool {
	if m.held+n > m.room && n > 0 {
		return false
	}
	return m.journal.Reserve(n)
}

// With too little memory, at any point, a connection becomes opaque, and gives back what it has.
func TestHTTP2WithoutMemory(t *testing.T) {
	for room := 0; room < 20<<10; room += 100 {
		k := newTalk(t)
		k.client.hpack.SetMaxDynamicTableSizeLimit(8 << 10)
		k.client.hpack.SetMaxDynamicTableSize(8 << 10)
		k.post(3, true)
		b := k.client.encode(":method", "GET", "a", strings.Repeat("\x01", 4000))
		k.client.open(5, b)
		m := &miser{room: room}
		playTo(m, append(k.steps, step{"client-end", ""}), func(n int) int { return min(n, 333) })
		if m.held != 0 {
			t.Fatalf("%d bytes still reserved of %d", m.held, room)
		}
		if room < 16000 && m.lines[len(m.lines)-1] != "opaque memory_limit" {
			t.Fatalf("with room for %d: %q", room, m.lines)
		}
	}
}
