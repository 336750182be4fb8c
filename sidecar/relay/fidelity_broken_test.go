package relay_test

import (
	"strings"

	"golang.org/x/net/http2"
)

// brokenScripts break the rules of HTTP/2.
func brokenScripts() []script {
	raw := func(name, bytes string) script {
		return http2Script(name, func(d *dialogue) {
			d.c.get(1)
			d.asks()
			d.c.wire.WriteString(bytes)
			d.s.WriteGoAway(1, http2.ErrCodeProtocol, nil)
			d.answers()
		})
	}
	list := []script{
		raw("data on no stream", "\x00\x00\x01\x00\x00\x00\x00\x00\x00x"),
		raw("unknown frame", "\x00\x00\x03\xee\xff\x80\x00\x00\x09abc"),
		raw("frame beyond the limit", "\xff\xff\xff\x00\x00\x00\x00\x00\x01"+strings.Repeat("x", 40<<10)),
		raw("window of nothing", "\x00\x00\x04\x08\x00\x00\x00\x00\x01\x00\x00\x00\x00"),
		raw("settings of seven bytes", "\x00\x00\x07\x04\x00\x00\x00\x00\x00abcdefg"),
		raw("ping of nine bytes", "\x00\x00\x09\x06\x00\x00\x00\x00\x00abcdefghi"),
		raw("continuation of nothing", "\x00\x00\x01\x09\x04\x00\x00\x00\x03\x82"),
		raw("padding longer than its frame", "\x00\x00\x02\x00\x08\x00\x00\x00\x01\xffx"),
		raw("headers that cannot be decoded", "\x00\x00\x02\x01\x05\x00\x00\x00\x03\xff\xff"),
		raw("half a frame", "\x00\x00\x10\x00\x00\x00\x00\x00\x01half"),
		raw("http/1.1 after the preface", get),
		raw("flood of settings", strings.Repeat("\x00\x00\x00\x04\x00\x00\x00\x00\x00", 1000)),
		raw("flood of empty data", strings.Repeat("\x00\x00\x00\x00\x00\x00\x00\x00\x01", 1000)),
		raw("flood of resets", strings.Repeat("\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08", 1000)),
		turns("http/2: preface of another version", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", badRequest),
		turns("http/2: preface after a request", get, okAnswer, http2.ClientPreface, badRequest),
		http2Script("promise", func(d *dialogue) {
			d.c.get(1)
			d.s.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: d.s.fields(":method", "GET", ":path", "/pushed"), EndHeaders: true})
			d.s.headers(2, true, ":status", "200")
			d.s.headers(1, true, ":status", "200")
			d.answers()
		}),
		http2Script("answer that nobody asked for", func(d *dialogue) {
			d.s.headers(9, true, ":status", "200")
			d.answers()
			d.c.get(9)
			d.s.headers(9, false, "x", "no status")
			d.answers()
		}),
		http2Script("headers of 200 KiB", func(d *dialogue) {
			b := d.c.fields(":method", "GET", ":path", "/", "x", strings.Repeat("~", 200<<10))
			d.c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:16<<10], EndStream: true})
			for b = b[16<<10:]; len(b) > 16<<10; b = b[16<<10:] {
				d.c.WriteContinuation(1, false, b[:16<<10])
			}
			d.c.WriteContinuation(1, true, b)
			d.s.headers(1, true, ":status", "431")
			d.answers()
		}),
		http2Script("two thousand streams at once", func(d *dialogue) {
			for i := range uint32(2000) {
				d.c.get(1 + 2*i)
			}
			for i := range uint32(2000) {
				d.s.headers(1+2*i, true, ":status", "204")
			}
			d.answers()
		}),
	}
	reset := http2Script("reset in the middle of a frame", func(d *dialogue) {
		d.c.post(1)
		d.c.wire.WriteString("\x00\x00\x10\x00\x00\x00\x00\x00\x01half")
		d.s.wire.WriteString("\x00\x00\x10\x01\x04\x00\x00\x00\x01half")
		d.answers()
	})
	reset.client[len(reset.client)-1] = act("reset")
	return append(list, reset)
}
