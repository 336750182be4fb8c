package follow_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/sidecar/follow"
)

// journal writes down what a follower says, joining body pieces so that cuts do not show.
type journal struct {
	n, held int
	ids     map[*follow.Exchange]int
	bodies  map[string]string
	ended   map[*follow.Exchange]bool
	lines   []string
}

func (j *journal) id(e *follow.Exchange) int {
	if j.ids == nil {
		j.ids, j.bodies, j.ended = map[*follow.Exchange]int{}, map[string]string{}, map[*follow.Exchange]bool{}
	}
	if _, ok := j.ids[e]; !ok {
		j.n++
		j.ids[e] = j.n
	}
	return j.ids[e]
}

// open says so when something is told of an exchange that is done.
func (j *journal) open(e *follow.Exchange) {
	if j.ended[e] {
		j.lines = append(j.lines, fmt.Sprintf("%d after its end", j.id(e)))
	}
}

func (j *journal) Request(e *follow.Exchange, h follow.Head) {
	delete(j.ended, e)
	j.lines = append(j.lines, fmt.Sprintf("%d %s %s length=%d encoded=%v", j.id(e), h.Method, h.Target, h.Length, h.Encoding != nil))
}
func (j *journal) RequestBody(e *follow.Exchange, b []byte) {
	j.open(e)
	j.bodies[fmt.Sprint(j.id(e), " request")] += string(b)
}
func (j *journal) ResponseBody(e *follow.Exchange, b []byte) {
	j.open(e)
	j.bodies[fmt.Sprint(j.id(e), " response")] += string(b)
}
func (j *journal) Response(e *follow.Exchange, h follow.Head) {
	j.lines = append(j.lines, fmt.Sprintf("%d %d", j.id(e), e.Status))
}
func (j *journal) Done(e *follow.Exchange) {
	j.open(e)
	i := j.id(e)
	j.ended[e] = true
	j.lines = append(j.lines, fmt.Sprintf("%d done outcome=%d status=%d complete=%v early=%v request=%q response=%q", i, e.Outcome, e.Status, e.Complete, e.Early,
		j.bodies[fmt.Sprint(i, " request")], j.bodies[fmt.Sprint(i, " response")]))
	delete(j.ids, e)
}
func (j *journal) Opaque(r follow.Reason) { j.lines = append(j.lines, "opaque "+string(r)) }
func (j *journal) Reserve(n int) bool     { j.held += n; return true }

// step is bytes in one direction; "<" from the client, ">" from the server, and the two ends.
type step struct{ from, bytes string }

func play(steps []step, cut func(n int) int) *journal {
	j := &journal{}
	playTo(j, steps, cut)
	return j
}

func playTo(sink follow.Sink, steps []step, cut func(n int) int) {
	p := follow.New(sink)
	at := time.Unix(0, 0)
	for _, s := range steps {
		switch s.from {
		case "server-end":
			p.ServerEnd(at, false)
			continue
		case "server-reset":
			p.ServerEnd(at, true)
			continue
		case "client-end":
			p.ClientEnd(at)
			continue
		case "client-fin":
			p.ClientFIN()
			continue
		}
		for b := []byte(s.bytes); len(b) > 0; {
			n := min(len(b), cut(len(b)))
			if s.from == "<" {
				p.Request(b[:n], at)
			} else {
				p.Response(b[:n], at)
			}
			b = b[n:]
		}
	}
}

func whole(n int) int  { return n }
func bytewise(int) int { return 1 }

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

var table = []struct {
	name  string
	steps []step
	want  []string
}{
	{"length both ways", []step{{"<", "POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"}, {">", ok}},
		[]string{"1 POST /p length=3 encoded=false", "1 200", `1 done outcome=0 status=200 complete=true early=false request="abc" response="hi"`}},
	{"pipelined", []step{{"<", "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"}, {">", ok + ok}},
		[]string{"1 GET /1 length=-1 encoded=false", "2 GET /2 length=-1 encoded=false", "1 200", `1 done outcome=0 status=200 complete=true early=false request="" response="hi"`,
			"2 200", `2 done outcome=0 status=200 complete=true early=false request="" response="hi"`}},
	{"chunks, extension, trailer", []step{{"<", "POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n"}, {">", ok}},
		[]string{"1 POST / length=-1 encoded=false", "1 200", `1 done outcome=0 status=200 complete=true early=false request="abcde" response="hi"`}},
	{"continue", []step{{"<", "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"}, {">", "HTTP/1.1 100 Continue\r\n\r\n"}, {"<", "x"}, {">", ok}},
		[]string{"1 POST / length=1 encoded=false", "1 200", `1 done outcome=0 status=200 complete=true early=false request="x" response="hi"`}},
	{"head has no body", []step{{"<", "HEAD / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"}, {">", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + ok}},
		[]string{"1 HEAD / length=-1 encoded=false", "2 GET /b length=-1 encoded=false", "1 200", `1 done outcome=0 status=200 complete=true early=false request="" response=""`,
			"2 200", `2 done outcome=0 status=200 complete=true early=false request="" response="hi"`}},
	{"204 and 304", []step{{"<", "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"}, {">", "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"}},
		[]string{"1 GET /1 length=-1 encoded=false", "2 GET /2 length=-1 encoded=false", "1 204", `1 done outcome=0 status=204 complete=true early=false request="" response=""`,
			"2 304", `2 done outcome=0 status=304 complete=true early=false request="" response=""`}},
	{"until close", []step{{"<", "GET / HTTP/1.0\r\n\r\n"}, {">", "HTTP/1.0 200 OK\r\n\r\nall of it"}, {"server-end", ""}},
		[]string{"1 GET / length=-1 encoded=false", "1 200", `1 done outcome=0 status=200 complete=true early=false request="" response="all of it"`}},
	{"until a reset is cut", []step{{"<", "GET / HTTP/1.0\r\n\r\n"}, {">", "HTTP/1.0 200 OK\r\n\r\nhalf"}, {"server-reset", ""}},
		[]string{"1 GET / length=-1 encoded=false", "1 200", `1 done outcome=2 status=200 complete=true early=false request="" response="half"`}},
	{"server closes unanswered", []step{{"<", "GET / HTTP/1.1\r\n\r\n"}, {"server-end", ""}},
		[]string{"1 GET / length=-1 encoded=false", `1 done outcome=1 status=0 complete=true early=false request="" response=""`}},
	{"client left first", []step{{"<", "GET / HTTP/1.1\r\n\r\n"}, {"client-fin", ""}, {"server-end", ""}},
		[]string{"1 GET / length=-1 encoded=false", `1 done outcome=3 status=0 complete=true early=false request="" response=""`}},
	{"early response, next request", []step{{"<", "POST /big HTTP/1.1\r\nContent-Length: 4\r\n\r\nab"}, {">", "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"}, {"<", "cdGET /n HTTP/1.1\r\n\r\n"}, {">", ok}},
		[]string{"1 POST /big length=4 encoded=false", "1 413", `1 done outcome=0 status=413 complete=false early=true request="ab" response=""`, "2 GET /n length=-1 encoded=false",
			"2 200", `2 done outcome=0 status=200 complete=true early=false request="" response="hi"`}},
	{"upgrade", []step{{"<", "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"}, {">", "HTTP/1.1 101 Switching\r\n\r\n\x81\x00"}, {"<", "\x81\x00"}},
		[]string{"1 GET /ws length=-1 encoded=false", `1 done outcome=0 status=101 complete=true early=false request="" response=""`, "opaque upgrade"}},
	{"connect", []step{{"<", "CONNECT a:1 HTTP/1.1\r\n\r\nraw"}}, []string{"opaque connect"}},
	{"http2 is not how it begins", []step{{"<", "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n"}}, []string{"opaque http2"}},
	{"http2 with headers", []step{{"<", "PRI * HTTP/2.0\r\nA: b\r\n\r\nSM\r\n\r\n"}}, []string{"opaque not_http"}},
	{"http2 later on", []step{{"<", "GET / HTTP/1.1\r\n\r\n"}, {">", ok}, {"<", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}},
		[]string{"1 GET / length=-1 encoded=false", "1 200",
			`1 done outcome=0 status=200 complete=true early=false request="" response="hi"`, "opaque not_http"}},
	{"tls", []step{{"<", "\x16\x03\x01"}}, []string{"opaque tls"}},
	{"binary", []step{{"<", "\x00\x00"}}, []string{"opaque not_http"}},
	{"both lengths", []step{{"<", "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}}, []string{"opaque framing"}},
	{"two lengths", []step{{"<", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"}}, []string{"opaque framing"}},
	{"length list", []step{{"<", "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\nx"}}, []string{"opaque framing"}},
	{"signed length", []step{{"<", "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx"}}, []string{"opaque framing"}},
	{"folded", []step{{"<", "POST / HTTP/1.1\r\nX: a\r\n b\r\n\r\n"}}, []string{"opaque framing"}},
	{"blank before colon", []step{{"<", "POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\nx"}}, []string{"opaque framing"}},
	{"bad chunk", []step{{"<", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}},
		[]string{"1 POST / length=-1 encoded=false", `1 done outcome=4 status=0 complete=false early=false request="" response=""`, "opaque framing"}},
	{"chunk without its end", []step{{"<", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc"}},
		[]string{"1 POST / length=-1 encoded=false", `1 done outcome=4 status=0 complete=false early=false request="a" response=""`, "opaque framing"}},
	{"unsolicited", []step{{">", "HTTP/1.1 408 Timeout\r\n\r\n"}}, []string{"opaque unsolicited"}},
	{"empty line first", []step{{"<", "\r\n\r\nGET / HTTP/1.1\r\n\r\n"}, {">", ok}},
		[]string{"1 GET / length=-1 encoded=false", "1 200", `1 done outcome=0 status=200 complete=true early=false request="" response="hi"`}},
	{"gzip is told", []step{{"<", "POST / HTTP/1.1\r\ncontent-encoding: gzip\r\nContent-Length: 1\r\n\r\nx"}, {"client-end", ""}},
		[]string{"1 POST / length=1 encoded=true", `1 done outcome=3 status=0 complete=true early=false request="x" response=""`}},
	{"head at the limit", []step{{"<", "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", follow.MaxHead-19) + "\r\n\r\n"}, {"client-end", ""}},
		[]string{"1 GET / length=-1 encoded=false", `1 done outcome=3 status=0 complete=true early=false request="" response=""`}},
	{"head over the limit", []step{{"<", "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", follow.MaxHead-18) + "\r\n\r\n"}}, []string{"opaque head_limit"}},
	{"chunk line over the limit", []step{{"<", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("a", follow.MaxLine) + "\r\n"}},
		[]string{"1 POST / length=-1 encoded=false", `1 done outcome=4 status=0 complete=false early=false request="" response=""`, "opaque head_limit"}},
	{"too many waiting", []step{{"<", strings.Repeat("GET / HTTP/1.1\r\n\r\n", follow.MaxWaiting+1)}}, nil},
}

func TestFollow(t *testing.T) {
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			j := play(c.steps, whole)
			if c.want != nil {
				if d := cmp.Diff(c.want, j.lines); d != "" {
					t.Errorf("events (-want +got):\n%s", d)
				}
			} else if last := j.lines[len(j.lines)-1]; last != "opaque pipeline" {
				t.Errorf("last event %q, want opaque pipeline", last)
			}
			if d := cmp.Diff(j.lines, play(c.steps, bytewise).lines); d != "" {
				t.Errorf("byte by byte (-whole +cut):\n%s", d)
			}
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(seed, 1))
				if d := cmp.Diff(j.lines, play(c.steps, func(n int) int { return 1 + r.IntN(n) }).lines); d != "" {
					t.Fatalf("cut with seed %d (-whole +cut):\n%s", seed, d)
				}
			}
		})
	}
}

// Every byte reserved for partial heads is given back when the connection ends.
func TestReserveBalances(t *testing.T) {
	for _, c := range table {
		j := play(append(c.steps[:len(c.steps):len(c.steps)], step{"client-end", ""}), bytewise)
		if j.held != 0 {
			t.Errorf("%s: %d bytes still reserved", c.name, j.held)
		}
	}
}

// faulty panics in the middle of a body.
type faulty struct{ journal }

func (*faulty) RequestBody(*follow.Exchange, []byte) { panic("fault") }

func TestPanicMakesOpaque(t *testing.T) {
	var f faulty
	p := follow.New(&f)
	p.Request([]byte("POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), time.Unix(0, 0))
	p.Response([]byte(ok), time.Unix(0, 0))
	want := []string{"1 POST /p length=3 encoded=false", "opaque panic", `1 done outcome=4 status=0 complete=false early=false request="" response=""`}
	if d := cmp.Diff(want, f.lines); d != "" || !p.Opaque() {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

func FuzzFollow(f *testing.F) {
	for _, c := range table {
		var req, resp string
		for _, s := range c.steps {
			if s.from == "<" {
				req += s.bytes
			} else {
				resp += s.bytes
			}
		}
		f.Add([]byte(req), []byte(resp), uint64(len(req)))
	}
	f.Fuzz(func(t *testing.T, req, resp []byte, seed uint64) {
		steps := []step{{"<", string(req)}, {">", string(resp)}, {"server-end", ""}}
		want := play(steps, whole)
		r := rand.New(rand.NewPCG(seed, 2))
		got := play(steps, func(n int) int { return 1 + r.IntN(n) })
		if d := cmp.Diff(want.lines, got.lines); d != "" {
			t.Fatalf("a cut changes the events:\n%s", d)
		}
		done := 0
		for _, l := range want.lines {
			if l == "opaque panic" {
				t.Fatal("panic")
			}
			if strings.Contains(l, " done ") {
				done++
			}
		}
		if done != want.n || want.held != 0 {
			t.Fatalf("%d of %d exchanges done, %d bytes held", done, want.n, want.held)
		}
	})
}
