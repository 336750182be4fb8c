package relay_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// speaker writes frames of HTTP/2, legal or not.
type speaker struct {
	*http2.Framer
	wire, block bytes.Buffer
	table       *hpack.Encoder
}

func newSpeaker() *speaker {
	s := &speaker{}
	s.Framer = http2.NewFramer(&s.wire, nil)
	s.AllowIllegalWrites = true
	s.table = hpack.NewEncoder(&s.block)
	return s
}

// fields is a header block of names and values in turn.
func (s *speaker) fields(list ...string) []byte {
	s.block.Reset()
	for i := 0; i < len(list); i += 2 {
		s.table.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]})
	}
	return bytes.Clone(s.block.Bytes())
}

func (s *speaker) headers(stream uint32, last bool, list ...string) {
	s.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.fields(list...), EndStream: last, EndHeaders: true})
}

func (s *speaker) post(stream uint32, list ...string) {
	s.headers(stream, false, append([]string{":method", "POST", ":scheme", "http", ":path", "/v2/models/m/infer", ":authority", "m"}, list...)...)
}

func (s *speaker) get(stream uint32) {
	s.headers(stream, true, ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "m")
}

func (s *speaker) call(stream uint32, method string) {
	s.headers(stream, false, ":method", "POST", ":scheme", "http", ":path", "/inference.GRPCInferenceService/"+method, "te", "trailers", "content-type", "application/grpc")
}

func (s *speaker) ok(stream uint32) {
	s.headers(stream, false, ":status", "200", "content-type", "application/grpc")
}

func (s *speaker) status(stream uint32, code string) { s.headers(stream, true, "grpc-status", code) }

// message is one message of gRPC.
func message(body string) []byte {
	return append([]byte{0, 0, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

// dialogue makes up a script of frames; what one end says the other reads before it goes on.
type dialogue struct {
	script
	c, s *speaker
}

// http2Script begins with the preface and both ends' settings. say adds the rest; the client ends the connection.
func http2Script(name string, say func(d *dialogue)) script {
	d := &dialogue{script: script{name: "http/2: " + name}, c: newSpeaker(), s: newSpeaker()}
	d.client, d.server = append(d.client, send(http2.ClientPreface)), append(d.server, read(http2.ClientPreface))
	d.c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	d.asks()
	d.s.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100})
	d.s.WriteSettingsAck()
	d.answers()
	d.c.WriteSettingsAck()
	say(d)
	d.asks()
	d.client = append(d.client, act("fin"))
	return d.script
}

// asks sends what the client has written.
func (d *dialogue) asks() {
	if m := d.c.wire.String(); m != "" {
		d.client, d.server = append(d.client, send(m)), append(d.server, read(m))
		d.c.wire.Reset()
	}
}

// answers sends what the server has written, behind what the client has.
func (d *dialogue) answers() {
	d.asks()
	m := d.s.wire.String()
	d.client, d.server = append(d.client, read(m)), append(d.server, send(m))
	d.s.wire.Reset()
}

// recordedScripts are what real clients and servers of gRPC have said.
func recordedScripts(t testing.TB) (list []script) {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, pattern := range []string{"../follow/testdata/*/*.c2s.bin", "../observe/testdata/*.c2s"} {
		names, _ := filepath.Glob(pattern)
		if len(names) == 0 {
			t.Fatalf("nothing in %s", pattern)
		}
		for _, name := range names {
			list = append(list, ask("recorded: "+name, read(name), read(strings.Replace(name, ".c2s", ".s2c", 1))))
		}
	}
	return list
}
