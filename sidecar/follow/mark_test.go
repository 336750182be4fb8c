package follow_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/sidecar/follow"
)

// want are the requests that marks are for: those for /p.
type want struct {
	journal
	asked map[*follow.Exchange]bool
}

func (w *want) Request(e *follow.Exchange, h follow.Head) {
	w.asked[e] = string(h.Target) == "/p"
}

// A caret in an answer stands where a mark is to be.
var marked = []struct{ name, request, response string }{
	{"wanted", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n^Content-Length: 2\r\n\r\nhi"},
	{"other", "POST /x HTTP/1.1\r\n\r\n", ok},
	{"no header", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 204 No Content\r\n^\r\n"},
	{"no reason", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 299\r\n^\r\n"},
	{"error", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nhi"},
	{"redirect", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"},
	{"interim", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n^Content-Length: 0\r\n\r\n"},
	{"pipelined", strings.Repeat("POST /p HTTP/1.1\r\n\r\nPOST /x HTTP/1.1\r\n\r\n", 3),
		strings.Repeat("HTTP/1.1 200 OK\r\n^Content-Length: 2\r\n\r\nhi"+ok, 3)},
	{"looks like it in a body", "POST /p HTTP/1.1\r\n\r\n",
		"HTTP/1.1 200 OK\r\n^Content-Length: 19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"},
	{"chunks", "POST /p HTTP/1.1\r\n\r\nPOST /p HTTP/1.1\r\n\r\n",
		"HTTP/1.1 200 OK\r\n^Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\nHTTP/1.1 201 Created\r\n^Content-Length: 0\r\n\r\n"},
	{"http/1.0", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nhi"},
	{"bare newline", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nhi"},
	{"not http", "POST /p HTTP/1.1\r\n\r\n", "ICY 200 OK\r\n\r\n"},
	{"status of four digits", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n"},
	{"unsolicited", "", ok},
	{"opaque behind it", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n^Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi" + ok},
	{"opaque before it", "POST /p HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", ok},
	{"upgrade", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + ok},
	{"long line", "POST /p HTTP/1.1\r\n\r\n", "HTTP/1.1 200 " + strings.Repeat("k", follow.MaxLine) + "\r\nContent-Length: 0\r\n\r\n"},
	{"http/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + ok},
}

func TestMarks(t *testing.T) {
	for _, c := range marked {
		t.Run(c.name, func(t *testing.T) {
			response := strings.ReplaceAll(c.response, "^", "")
			var places []int
			for i := range c.response {
				if c.response[i] == '^' {
					places = append(places, i-len(places))
				}
			}
			cuts := []int{1, 2, 3, 7, len(response)}
			for first := range min(len(response), 300) {
				checkMarks(t, c.request, response, places, first, len(response))
			}
			for _, n := range cuts {
				checkMarks(t, c.request, response, places, n, n)
			}
		})
	}
}

// checkMarks shows a piece of the response and then pieces of a size.
func checkMarks(t *testing.T, request, response string, want []int, first, size int) {
	t.Helper()
	w := newWant()
	p := follow.NewMarking(w, func(e *follow.Exchange) bool { return w.asked[e] })
	p.Request([]byte(request), time.Unix(0, 0))
	var got []int
	for at, n := 0, first; at < len(response); at, n = at+n, size {
		n = min(n, len(response)-at)
		for _, mark := range p.MarkResponse([]byte(response[at:at+n]), time.Unix(0, 0)) {
			got = append(got, at+mark)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("cut at %d, then every %d: marks %v, want %v", first, size, got, want)
	}
}

func newWant() *want {
	w := &want{asked: map[*follow.Exchange]bool{}}
	w.id(nil)
	return w
}

// An error in who says what is wanted ends following, as one in the sink.
func TestMarkPanics(t *testing.T) {
	j := &journal{}
	p := follow.NewMarking(j, func(*follow.Exchange) bool { panic("no") })
	p.Request([]byte("POST /p HTTP/1.1\r\n\r\n"), time.Unix(0, 0))
	if marks := p.MarkResponse([]byte(ok), time.Unix(0, 0)); len(marks) > 0 || !p.Opaque() {
		t.Errorf("marks %v, opaque %v", marks, p.Opaque())
	}
}
