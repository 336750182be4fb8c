package relay_test

import (
	"fmt"
	"strings"
)

const (
	chunkedAnswer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	badRequest    = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	tooLarge      = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
)

// post is the head of a request, and what follows it.
func post(headers, body string) string {
	return "POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\n" + headers + "\r\n" + body
}

// turns is an exchange in which each message is read whole before the other end answers; the client speaks first and
// ends the connection.
func turns(name string, messages ...string) (s script) {
	s.name = name
	for i, m := range messages {
		if i%2 == 0 {
			s.client, s.server = append(s.client, send(m)), append(s.server, read(m))
		} else {
			s.client, s.server = append(s.client, read(m)), append(s.server, send(m))
		}
	}
	s.client = append(s.client, act("fin"))
	return s
}

// headScripts are heads that servers read in more than one way, or refuse.
func headScripts() []script {
	chunks := "3\r\nabc\r\n0\r\n\r\n"
	return []script{
		ask("two thousand headers", "GET / HTTP/1.1\r\n"+strings.Repeat("X-A: b\r\n", 2000)+"\r\n", okAnswer),
		ask("two thousand headers in the answer", get, "HTTP/1.1 200 OK\r\n"+strings.Repeat("Set-Cookie: b\r\n", 2000)+"Content-Length: 0\r\n\r\n"),
		ask("long target", "GET /"+strings.Repeat("a", 60<<10)+" HTTP/1.1\r\n\r\n", okAnswer),
		ask("target with blanks", "GET /a b c HTTP/1.1\r\n\r\n", badRequest),
		ask("nul in a header", "GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n", okAnswer),
		ask("nul in the target", "GET /\x00 HTTP/1.1\r\n\r\n", badRequest),
		ask("line without a colon", "GET / HTTP/1.1\r\nnonsense\r\n\r\n", badRequest),
		ask("header without a name", "GET / HTTP/1.1\r\n: x\r\n\r\n", badRequest),
		ask("bare carriage return", "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", badRequest),
		ask("folded header in the answer", get, "HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\nContent-Length: 2\r\n\r\nok"),
		ask("lower-case version", "GET / http/1.1\r\n\r\n", badRequest),
		ask("version 1.2", "GET / HTTP/1.2\r\n\r\n", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"),
		ask("status of an old radio", get, "ICY 200 OK\r\n\r\nmusic"),
		ask("status 999", get, "HTTP/1.1 999 Request denied\r\nContent-Length: 0\r\n\r\n"),
		ask("proxy protocol", "PROXY TCP4 9.9.9.9 8.8.8.8 1 2\r\n"+get, okAnswer),
		// What is smuggled where two programs disagree on where a request ends.
		ask("length first, then chunked", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", chunks+get), badRequest),
		ask("chunked first, then length", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", chunks+get), badRequest),
		ask("chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks), badRequest),
		ask("chunked and identity", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks), okAnswer),
		ask("chunked in a list", post("Transfer-Encoding: chunked, identity\r\n", chunks), badRequest),
		ask("nearly chunked", post("Transfer-Encoding: xchunked\r\n", chunks), badRequest),
		ask("blank before the colon", post("Transfer-Encoding : chunked\r\n", chunks), badRequest),
		ask("tab before chunked", post("Transfer-Encoding:\tchunked\r\n", chunks), okAnswer),
		ask("chunked in http/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks, badRequest),
		ask("list of lengths", post("Content-Length: 3, 3\r\n", "abc"), okAnswer),
		ask("the same length twice", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), okAnswer),
		ask("length with a sign", post("Content-Length: +3\r\n", "abc"), okAnswer),
		ask("length beyond any number", post("Content-Length: 99999999999999999999\r\n", "abc"), badRequest),
		ask("both lengths in the answer", get, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks),
		ask("request inside a body", post(fmt.Sprintf("Content-Length: %d\r\n", len(get)), get)+get, okAnswer+okAnswer),
	}
}

// chunkScripts are chunked bodies.
func chunkScripts() []script {
	chunked := func(body string) string { return post("Transfer-Encoding: chunked\r\n", body) }
	return []script{
		ask("quoted chunk extension", chunked("3;a=\"b;c\";d\r\nabc\r\n0;last\r\n\r\n"), okAnswer),
		ask("newline in a quoted extension", chunked("3;a=\"\r\nabc\r\n0\r\n\r\n"), okAnswer),
		ask("blanks around a chunk size", chunked(" 3 \r\nabc\r\n0 \r\n\r\n"), okAnswer),
		ask("chunk line of 10 KiB", chunked("3;"+strings.Repeat("x", 10<<10)+"\r\nabc\r\n0\r\n\r\n"), okAnswer),
		ask("zeros before a chunk size", chunked(strings.Repeat("0", 5000)+"3\r\nabc\r\n0\r\n\r\n"), okAnswer),
		ask("chunk size beyond any number", chunked("FFFFFFFFFFFFFFFFF\r\nabc"), badRequest),
		ask("chunk size of C", chunked("0x3\r\nabc\r\n0\r\n\r\n"), badRequest),
		ask("negative chunk size", chunked("-3\r\nabc\r\n0\r\n\r\n"), badRequest),
		ask("no chunk size", chunked("\r\nabc\r\n0\r\n\r\n"), badRequest),
		ask("bare newlines in chunks", chunked("3\nabc\n0\n\n"), okAnswer),
		ask("chunk longer than its size", chunked("3\r\nabcd\r\n0\r\n\r\n"), badRequest),
		ask("hundred trailers", chunked("0\r\n"+strings.Repeat("X: y\r\n", 100)+"\r\n"), okAnswer),
		ask("trailer of 10 KiB", get, chunkedAnswer+"0\r\nX: "+strings.Repeat("y", 10<<10)+"\r\n\r\n"),
		ask("length as a trailer", chunked("0\r\nContent-Length: 5\r\n\r\n")+get, okAnswer+okAnswer),
		ask("chunks of one byte", chunked(strings.Repeat("1\r\nx\r\n", 300)+"0\r\n\r\n"), chunkedAnswer+strings.Repeat("1\r\ny\r\n", 300)+"0\r\n\r\n"),
		ask("nothing, in chunks", chunked("0\r\n\r\n"), chunkedAnswer+"0\r\n\r\n"),
		ask("nothing, with a length", post("Content-Length: 0\r\n", ""), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
		ask("nul bytes", post("Content-Length: 4\r\n", "\x00\x00\x00\x00"), chunkedAnswer+"4\r\n\x00\x00\x00\x00\r\n0\r\n\r\n"),
		ask("last chunk missing", get, chunkedAnswer+"3\r\nabc\r\n"),
	}
}

// orderScripts are about who says what when.
func orderScripts() []script {
	expecting := post("Expect: 100-continue\r\nContent-Length: 4\r\n", "")
	half := post("Content-Length: 8\r\n", "half")
	head := "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"
	closing := "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
	return []script{
		turns("expectation refused", expecting, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", get, okAnswer),
		turns("expectation not waited for", expecting+"body", goOn+okAnswer, get, okAnswer),
		turns("flood of interim answers", get, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"+goOn, 200)+okAnswer, get, okAnswer),
		turns("interim answer, then another request", get, "HTTP/1.1 102 Processing\r\n\r\n", get, okAnswer+okAnswer),
		turns("head, then get", "HEAD / HTTP/1.1\r\n\r\n", head, get, okAnswer, "HEAD / HTTP/1.1\r\n\r\n", chunkedAnswer, get, okAnswer),
		turns("answers without a body, then get", get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", get, "HTTP/1.1 204 No Content\r\n\r\n", get, okAnswer),
		turns("kept alive in http/1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nend"),
		turns("pipelined after an early answer", half, okAnswer, "rest"+get, okAnswer),
		turns("answer in two requests' time", get+half, okAnswer, "rest", okAnswer),
		turns("upgrade refused", "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", get, okAnswer),
		turns("upgrade that nobody asked for", get, switched, "whatever", "comes"),
		turns("two answers to one request", get, okAnswer+okAnswer, get, okAnswer),
		turns("more than the answer's length", get, okAnswer+"tail", get, okAnswer),
		{"client asks to close", []op{send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), read(closing)}, []op{read("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), send(closing), act("fin")}},
		{"server closes after its answer", []op{send(get), read(closing)}, []op{read(get), send(closing), act("close")}},
		{"too large, server reads on", []op{send(half), read(tooLarge), send("rest"), act("fin")}, []op{read(half), send(tooLarge), act("fin")}},
		{"too large, client gives up", []op{send(half), read(tooLarge), act("fin")}, []op{read(half), send(tooLarge), act("fin")}},
		{"too large, server closes", []op{send(half), read(tooLarge)}, []op{read(half), send(tooLarge), act("close")}},
		{"answer before the request", []op{read(okAnswer), send(get), act("fin")}, []op{send(okAnswer), read(get)}},
		{"banner", []op{read("SSH-2.0-x\r\n"), send("SSH-2.0-y\r\n"), act("fin")}, []op{send("SSH-2.0-x\r\n"), read("SSH-2.0-y\r\n")}},
		{"events with pauses", []op{send(get), read(chunkedAnswer + "9\r\ndata: 1\n\n\r\n"), act("pause"), read("9\r\ndata: 2\n\n\r\n0\r\n\r\n"), act("fin")},
			[]op{read(get), send(chunkedAnswer), act("pause"), send("9\r\ndata: 1\n\n\r\n"), act("pause"), act("pause"), send("9\r\ndata: 2\n\n\r\n"), act("pause"), send("0\r\n\r\n")}},
		{"request with pauses", []op{send("POST / HT"), act("pause"), send("TP/1.1\r\nContent-Le"), act("pause"), send("ngth: 4\r\n\r\nab"), act("pause"), send("cd"), read(okAnswer), act("fin")},
			[]op{read("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd"), send(okAnswer)}},
		{"large frames of a websocket both ways", []op{send(upgrade), read(switched), send(frame), act("fin")}, []op{read(upgrade), send(switched), send(frame), act("fin")}},
	}
}

const upgrade = "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

// frame is a binary frame of a websocket, with a 64-bit length.
var frame = "\x82\x7f\x00\x00\x00\x00\x00\x08\x00\x00" + strings.Repeat("frame of", 1<<16)

// endScripts end in the middle of something.
func endScripts() []script {
	half := post("Content-Length: 8\r\n", "half")
	halfChunk := post("Transfer-Encoding: chunked\r\n", "8\r\nhalf")
	halfAnswer := "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"
	return []script{
		{"client ends in its head", []op{send("GET / HT"), act("fin"), read(badRequest)}, []op{read("GET / HT"), send(badRequest), act("fin")}},
		{"client ends in its body", []op{send(half), act("fin"), read(badRequest)}, []op{read(half), send(badRequest), act("fin")}},
		{"client ends in a chunk", []op{send(halfChunk), act("fin")}, []op{read(halfChunk), act("fin")}},
		{"server ends in its head", []op{send(get), read("HTTP/1.1 2"), act("fin")}, []op{read(get), send("HTTP/1.1 2"), act("fin")}},
		{"server ends in its body, client speaks on", []op{send(get), read(halfAnswer), send(get), act("fin")}, []op{read(get), send(halfAnswer), act("fin"), read(get)}},
		{"server ends before it has the request", []op{send(half), act("pause"), send("rest"), act("fin")}, []op{read(half), act("fin"), read("rest")}},
		{"server closes in a chunk", []op{send(get), read(chunkedAnswer + "8\r\nhalf")}, []op{read(get), send(chunkedAnswer + "8\r\nhalf"), act("close")}},
		{"client resets in its body", []op{send(half), read("."), act("reset")}, []op{read(half), send(".")}},
		{"client resets in a chunk", []op{send(halfChunk), read(goOn), act("reset")}, []op{read(halfChunk), send(goOn)}},
		{"client resets after its answer", []op{send(get), read(okAnswer), act("reset")}, []op{read(get), send(okAnswer)}},
		{"client resets a websocket", []op{send(upgrade), read(switched), act("reset")}, []op{read(upgrade), send(switched)}},
		{"server resets before the request is whole", []op{send(half)}, []op{read(half), act("reset")}},
		{"server resets in a chunk", []op{send(get), read(chunkedAnswer + "8\r\nhalf"), send(".")}, []op{read(get), send(chunkedAnswer + "8\r\nhalf"), read("."), act("reset")}},
		{"server resets between requests", []op{send(get), read(okAnswer), send(get)}, []op{read(get), send(okAnswer), read(get), act("reset")}},
		{"server resets after the client has ended", []op{send(get), act("fin"), read(okAnswer)}, []op{read(get), send(okAnswer), act("pause"), act("reset")}},
		{"server resets a websocket", []op{send(upgrade), read(switched), send(".")}, []op{read(upgrade), send(switched), read("."), act("reset")}},
		{"both end at once", []op{act("fin")}, []op{act("fin")}},
	}
}
