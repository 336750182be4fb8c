package follow_test

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// talk is what a client and a server say over HTTP/2, in order, starting with their SETTINGS.
type talk struct {
	t              testing.TB
	steps          []step
	client, server *end
}

// end is one of the two.
type end struct {
	talk   *talk
	from   string
	wire   bytes.Buffer
	framer *http2.Framer
	block  bytes.Buffer
	hpack  *hpack.Encoder
}

func newTalk(t testing.TB, settings ...http2.Setting) *talk {
	k := &talk{t: t}
	k.client, k.server = k.end("<"), k.end(">")
	k.client.raw(http2.ClientPreface)
	k.client.say(func(f *http2.Framer) error { return f.WriteSettings() })
	k.server.say(func(f *http2.Framer) error { return f.WriteSettings(settings...) })
	k.client.say((*http2.Framer).WriteSettingsAck)
	k.server.say((*http2.Framer).WriteSettingsAck)
	return k
}

func (k *talk) end(from string) *end {
	e := &end{talk: k, from: from}
	e.framer = http2.NewFramer(&e.wire, nil)
	e.framer.AllowIllegalWrites = true
	e.hpack = hpack.NewEncoder(&e.block)
	return e
}

func (k *talk) then(what string) { k.steps = append(k.steps, step{what, ""}) }

func (e *end) raw(b string) { e.talk.steps = append(e.talk.steps, step{e.from, b}) }

func (e *end) say(write func(*http2.Framer) error) {
	if err := write(e.framer); err != nil {
		e.talk.t.Fatal(err)
	}
	e.raw(e.wire.String())
	e.wire.Reset()
}

// encode is a header block of names and values in turn.
func (e *end) encode(fields ...string) []byte {
	e.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		e.hpack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return e.block.Bytes()
}

func (e *end) headers(stream uint32, last bool, fields ...string) {
	b := e.encode(fields...)
	e.say(func(f *http2.Framer) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b, EndStream: last, EndHeaders: true})
	})
}

// open sends the start of a header block.
func (e *end) open(stream uint32, b []byte) {
	e.say(func(f *http2.Framer) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b})
	})
}

func (e *end) data(stream uint32, last bool, body string) {
	e.say(func(f *http2.Framer) error { return f.WriteData(stream, last, []byte(body)) })
}

func (e *end) reset(stream uint32, code http2.ErrCode) {
	e.say(func(f *http2.Framer) error { return f.WriteRSTStream(stream, code) })
}

// post is a request without its body, call one of gRPC.
func (k *talk) post(stream uint32, last bool) {
	k.client.headers(stream, last, ":method", "POST", ":scheme", "http", ":path", "/p", ":authority", "a")
}

func (k *talk) call(stream uint32, last bool) {
	k.client.headers(stream, last, ":method", "POST", ":path", "/s/m", "content-type", "application/grpc+proto")
}
