package relay_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// conversation makes up an exchange: messages of either side, each read whole by the other before it answers, and an
// end.
func conversation(seed uint64) (s script) {
	r := rand.New(rand.NewPCG(seed, 11))
	s.name = fmt.Sprint("seed ", seed)
	say := func(fromClient bool, message string) {
		a, b := &s.client, &s.server
		if !fromClient {
			a, b = b, a
		}
		if r.IntN(20) == 0 {
			*a = append(*a, act("pause"))
		}
		*a, *b = append(*a, send(message)), append(*b, read(message))
	}
	if r.IntN(4) == 0 {
		framesAtRandom(r, say)
	} else {
		requestsAtRandom(r, say)
	}
	// Whoever ends has read all that there is, or what the other sees would be a matter of luck.
	ends := []string{"fin", "close", "reset"}
	if r.IntN(2) == 0 {
		say(false, "last")
		s.client = append(s.client, act(ends[r.IntN(3)]))
	} else {
		say(true, "last")
		s.server = append(s.server, act(ends[r.IntN(3)]))
	}
	return s
}

// requestsAtRandom are requests of HTTP/1.1, most of them for inference, now and then with a byte changed.
func requestsAtRandom(r *rand.Rand, say func(fromClient bool, message string)) {
	for range r.IntN(7) {
		switch r.IntN(7) {
		case 0:
			say(true, get)
			say(false, okAnswer)
		case 1:
			n := 1 << r.IntN(19)
			say(true, inference("/", "", strings.Repeat("q", n)))
			say(false, answered("", strings.Repeat("a", n)))
		case 2:
			say(true, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
			say(true, "0\r\nTrailer: x\r\n\r\n")
			say(false, "HTTP/1.1 100 Continue\r\n\r\n"+okAnswer)
		case 3: // whatever it may be
			b := make([]byte, r.IntN(1<<r.IntN(18))+1)
			for i := range b {
				b[i] = byte(r.IntN(256))
			}
			say(r.IntN(2) == 0, string(b))
		case 4: // pipelined
			n := 1 + r.IntN(5)
			say(true, strings.Repeat(inference("/v2/models/m/infer", "", v2Body), n))
			say(false, strings.Repeat(answered("", v2Answer), n))
		default:
			request, answer := inferenceAtRandom(r)
			say(true, flip(r, request))
			say(false, flip(r, answer))
		}
	}
}

// inferenceAtRandom is a request of V2 and its answer, each framed and packed in some way.
func inferenceAtRandom(r *rand.Rand) (request, answer string) {
	rows := r.IntN(1 << r.IntN(10))
	data := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%d,%g,%d,", r.IntN(200), r.Float64()*100, r.IntN(9)), rows), ",")
	request = fmt.Sprintf(`{"inputs":[{"name":"x","shape":[%d,3],"datatype":"FP64","data":[%s]}]}`, rows, data)
	answer = fmt.Sprintf(`{"outputs":[{"name":"y","shape":[%d],"datatype":"FP64","data":[%s]}]}`,
		rows, strings.TrimSuffix(strings.Repeat("7,", rows), ","))
	framed := func(head, body string) string {
		if r.IntN(3) == 0 {
			head, body = head+"Content-Encoding: gzip\r\n", gzipped(body)
		}
		if r.IntN(3) == 0 {
			return head + "Transfer-Encoding: chunked\r\n\r\n" + inChunks(body, 1+r.IntN(500))
		}
		return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	return framed("POST /v2/models/m/infer HTTP/1.1\r\n", request), framed("HTTP/1.1 200 OK\r\n", answer)
}

// framesAtRandom are requests and calls of HTTP/2, streams mixed, now and then with a byte changed.
func framesAtRandom(r *rand.Rand, say func(fromClient bool, message string)) {
	c, s := newSpeaker(), newSpeaker()
	c.wire.WriteString(http2.ClientPreface)
	c.WriteSettings()
	s.WriteSettings()
	for stream := uint32(1); stream < uint32(2*r.IntN(12)); stream += 2 {
		if r.IntN(2) == 0 {
			c.call(stream, "ModelInfer")
		} else {
			c.post(stream)
		}
		for range r.IntN(3) {
			c.WriteData(stream, false, message(v2Body))
		}
		switch r.IntN(6) {
		case 0:
			c.WriteRSTStream(stream, http2.ErrCodeCancel)
		case 1:
			s.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		default:
			c.WriteData(stream, true, nil)
			s.ok(stream)
			s.WriteDataPadded(stream, false, message(v2Answer), make([]byte, r.IntN(50)))
			s.status(stream, "0")
		}
		if r.IntN(2) == 0 {
			say(true, flip(r, c.wire.String()))
			c.wire.Reset()
			if s.wire.Len() > 0 {
				say(false, flip(r, s.wire.String()))
				s.wire.Reset()
			}
		}
	}
}

// flip changes a byte of s, one time in ten.
func flip(r *rand.Rand, s string) string {
	if r.IntN(10) > 0 {
		return s
	}
	b := []byte(s)
	b[r.IntN(len(b))] = byte(r.IntN(256))
	return string(b)
}

// FuzzFidelity plays conversations that nobody thought of, cut anywhere and with delays.
func FuzzFidelity(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	l := listen(f)
	relays := map[string]string{}
	eachOf(func(name string, portable bool) { relays[name], _ = observed(f, portable, l.Addr().String()) })
	f.Fuzz(func(t *testing.T, seed uint64) {
		s := conversation(seed)
		c, sv := exchange(t, l, l.Addr().String(), s.client, s.server, whole)
		for name, through := range relays {
			c2, s2 := exchange(t, l, through, s.client, s.server, random(seed))
			if c2 != c || s2 != sv {
				t.Errorf("%s: the client saw\n%s\nand through the relay\n%s\nthe server\n%s\nand\n%s",
					name, describe(c), describe(c2), describe(sv), describe(s2))
			}
		}
	})
}

// A reset is passed on as one, wherever it comes, behind every byte that the other end was sent before.
func TestResetAnywhere(t *testing.T) { each(t, testResetAnywhere) }

func testResetAnywhere(t *testing.T, portable bool) {
	l := listen(t)
	through, _ := observed(t, portable, l.Addr().String())
	request := post("Transfer-Encoding: chunked\r\n", inChunks(v2Body, 30))
	answer := chunkedAnswer + inChunks(v2Answer, 50)
	play := func(what string, at int, client, server []op) {
		c, s := exchange(t, l, through, client, server, whole)
		var got int
		for _, o := range server {
			got += o.read
		}
		resetter, other := c, s
		if server[len(server)-1].act == "reset" {
			resetter, other = s, c
		}
		if resetter.End != "" || other.End != "reset" {
			t.Errorf("%s at byte %d: the one that reset saw the end %q, the other %q, want none and a reset",
				what, at, resetter.End, other.End)
		}
		if len(s.Bytes) != got {
			t.Errorf("%s at byte %d: the server got %d bytes, want %d", what, at, len(s.Bytes), got)
		}
	}
	for at := range len(request) {
		part := request[:at+1]
		play("client in its request", at, []op{send(part), read("."), act("reset")}, []op{read(part), send(".")})
		play("server in the request", at, []op{send(part)}, []op{read(part), act("reset")})
	}
	for at := range len(answer) {
		part := answer[:at+1]
		play("client in the answer", at, []op{send(request), read(part), act("reset")}, []op{read(request), send(part)})
		play("server in its answer", at, []op{send(request), read(part), send(".")},
			[]op{read(request), send(part), read("."), act("reset")})
	}
}
