package relay_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is one awkward exchange.
type script struct {
	name           string
	client, server []op
}

// ask is the usual form: a request, its answer, and the client closes when it has it.
func ask(name, request, response string) script {
	return script{name, []op{send(request), read(response), act("fin")}, []op{read(request), send(response), act("fin")}}
}

const get, okAnswer = "GET /x HTTP/1.1\r\nHost: m\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func scripts() []script {
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	s := []script{
		ask("get", get, okAnswer),
		ask("duplicate headers", "GET / HTTP/1.1\r\nX-A: 1\r\nX-A: 2\r\nCookie: a\r\nCookie: b\r\n\r\n", "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"),
		ask("odd case and order", "gEt /UPPER HTTP/1.1\r\nhOST: m\r\nx-lower: Y\r\n\r\n", "HTTP/1.1 200 ok\r\nCONTENT-length: 2\r\nserver:  spaced \r\n\r\nhi"),
		ask("empty header value", "GET / HTTP/1.1\r\nHost:\r\nX:\r\n\r\n", "HTTP/1.1 200\r\nContent-Length: 0\r\nY:\r\n\r\n"),
		ask("no reason phrase", get, "HTTP/1.1 204 \r\n\r\n"),
		ask("non-ascii header", "GET / HTTP/1.1\r\nX: \xe4\xff\x80\r\n\r\n", "HTTP/1.1 200 \xc3\xbcber\r\nContent-Length: 0\r\n\r\n"),
		ask("forwarded headers", "GET / HTTP/1.1\r\nForwarded: for=1\r\nX-Forwarded-For: 9.9.9.9\r\nVia: 1.0 a\r\n\r\n", okAnswer),
		ask("hop-by-hop headers", "GET / HTTP/1.1\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nProxy-Authorization: b\r\nKeep-Alive: 5\r\n\r\n", okAnswer),
		ask("strange query", "GET /a?x=1;y=2&z=%zz&&=#f HTTP/1.1\r\n\r\n", okAnswer),
		ask("dot segments and slashes", "GET //a/../b/./%2e%2e//c HTTP/1.1\r\n\r\n", okAnswer),
		ask("absolute target", "GET http://other/x HTTP/1.1\r\nHost: m\r\n\r\n", okAnswer),
		ask("options star", "OPTIONS * HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n"),
		ask("unknown method", "BREW /pot HTTP/1.1\r\n\r\n", "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n"),
		ask("length body", post("Content-Length: 5\r\n", "12345"), okAnswer),
		ask("body on get", "GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", okAnswer),
		ask("chunked request", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), okAnswer),
		ask("chunk extension and trailer", post("Transfer-Encoding: chunked\r\nTrailer: X\r\n", "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n00\r\nSum: 1\r\n\r\n"),
		ask("upper-case chunk size", get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000B\r\n0123456789a\r\n0\r\n\r\n"),
		ask("bad chunk", post("Transfer-Encoding: chunked\r\n", "zz\r\nhello"), "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
		ask("length and chunked", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), okAnswer),
		ask("two lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"),
		ask("negative length", post("Content-Length: -1\r\n", ""), "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"),
		ask("gzip coding", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), okAnswer),
		ask("folded header", "GET / HTTP/1.1\r\nX: a\r\n  b\r\n\r\n", okAnswer),
		ask("bare newlines", "GET / HTTP/1.1\nHost: m\n\n", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
		ask("leading empty lines", "\r\n\r\n"+get, okAnswer),
		ask("head", "HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"),
		ask("not modified", get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\nETag: \"x\"\r\n\r\n"),
		ask("early hints", get, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"+okAnswer),
		ask("http/1.0", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nuntil the end"),
		ask("http/0.9", "GET /\r\n", "just text"),
		ask("response without length", get, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+strings.Repeat("stream ", 1000)),
		ask("event stream", get, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2\n\n"),
		ask("pipelined", get+get+get, okAnswer+"HTTP/1.1 204 No Content\r\n\r\n"+okAnswer),
		ask("pipelined beyond the limit", strings.Repeat(get, 100), strings.Repeat(okAnswer, 100)),
		ask("big head", "GET / HTTP/1.1\r\nX: "+strings.Repeat("h", 100<<10)+"\r\n\r\n", okAnswer),
		ask("big request", post(fmt.Sprintf("Content-Length: %d\r\n", len(big)), big), okAnswer),
		ask("big response", get, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(big), big)),
		ask("tls", "\x16\x03\x01\x00\x05hello", "\x15\x03\x03\x00\x02\x02\x28"),
		ask("http/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
		ask("binary", "\x00\x01\x02\xff", "\xff\x00"),
		ask("response to nothing", "", "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"),
		{"websocket", []op{send("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), read(switched), send("\x81\x85mask\x00"), read("\x81\x02hi"), act("fin")},
			[]op{read("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), send(switched), read("\x81\x85mask\x00"), send("\x81\x02hi")}},
		{"connect", []op{send("CONNECT a:1 HTTP/1.1\r\n\r\n"), read("HTTP/1.1 200 OK\r\n\r\n"), send("raw"), act("fin")}, []op{read("CONNECT a:1 HTTP/1.1\r\n\r\n"), send("HTTP/1.1 200 OK\r\n\r\n"), read("raw"), send("back")}},
		{"continue", []op{send(post("Expect: 100-continue\r\nContent-Length: 4\r\n", "")), read(goOn), send("body"), read(okAnswer), act("fin")},
			[]op{read(post("Expect: 100-continue\r\nContent-Length: 4\r\n", "")), send(goOn), read("body"), send(okAnswer)}},
		{"keep-alive", []op{send(get), read(okAnswer), send(get), read(okAnswer), send(get), read(okAnswer), act("fin")}, []op{read(get), send(okAnswer), read(get), send(okAnswer), read(get), send(okAnswer)}},
		{"early answer", []op{send(post("Content-Length: 8\r\n", "half")), read(okAnswer), send("rest"), act("fin")}, []op{read(post("Content-Length: 8\r\n", "half")), send(okAnswer), read("rest")}},
		{"server speaks first", []op{read("hello\r\n"), send("hi\r\n"), act("fin")}, []op{send("hello\r\n"), read("hi\r\n")}},
		{"client half-closes", []op{send(get), act("fin"), read(okAnswer)}, []op{read(get), send(okAnswer)}},
		{"server half-closes", []op{read("bye"), send("more from me"), act("fin")}, []op{send("bye"), act("fin"), read("more from me")}},
		{"client sends nothing", []op{act("fin")}, nil},
		{"client resets", []op{send(get), read("HTTP"), act("reset")}, []op{read(get), send("HTTP")}},
		{"client resets while its answer is under way", []op{send(get), read("HTTP"), act("reset")}, []op{read(get), send("HTTP"), send(big)}},
		{"server resets at once", []op{send(get)}, []op{read(get), act("reset")}},
		{"server resets in the body", []op{send(get), read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), send("seen")}, []op{read(get), send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), read("seen"), act("reset")}},
		{"server closes unanswered", []op{send(get)}, []op{read(get), act("close")}},
		{"both ways at once", []op{send(big), act("fin")}, []op{send(big), act("fin")}},
	}
	return s
}

const switched, goOn = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"

// allScripts are the exchanges of every kind.
func allScripts(t testing.TB) []script {
	return slices.Concat(scripts(), headScripts(), chunkScripts(), orderScripts(), endScripts(), inferenceScripts(),
		frameScripts(), callScripts(), brokenScripts(), recordedScripts(t))
}

// Whatever two programs say to each other, they say through the relay, byte for byte and end for end, with all of it
// followed and what can be read observed.
func TestFidelity(t *testing.T) { each(t, testFidelity) }

func testFidelity(t *testing.T, portable bool) {
	l := listen(t)
	through, answered := observed(t, portable, l.Addr().String())
	list := allScripts(t)
	names := map[string]bool{}
	for _, s := range list {
		names[s.name] = true
		t.Run(s.name, func(t *testing.T) { alike(t, l, through, s) })
	}
	t.Logf("%d scripts, %d requests in them followed to their answer", len(names), answered.Load())
	if len(names) < 60 || len(names) < len(list) || answered.Load() == 0 {
		t.Errorf("%d names of %d scripts, want one for each and at least 60, and requests followed", len(names), len(list))
	}
}

// alike plays an exchange directly, and through the relay in several cuts.
func alike(t *testing.T, l *net.TCPListener, through string, s script) {
	c, sv := exchange(t, l, l.Addr().String(), s.client, s.server, whole)
	cuts := map[string]func(int) int{"whole": whole}
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		cuts[fmt.Sprint("cut with seed ", seed)] = random(seed)
	}
	if size(s) < 2000 {
		cuts["1-byte segments"] = bytewise
	}
	for name, cut := range cuts {
		c2, s2 := exchange(t, l, through, s.client, s.server, cut)
		if c2 != c {
			t.Errorf("%s: the client saw\n%s\nand through the relay\n%s", name, describe(c), describe(c2))
		}
		if s2 != sv {
			t.Errorf("%s: the server saw\n%s\nand through the relay\n%s", name, describe(sv), describe(s2))
		}
	}
}

func size(s script) (n int) {
	for _, o := range append(s.client[:len(s.client):len(s.client)], s.server...) {
		n += len(o.send)
	}
	return n
}
