package receipts_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/receipt"
	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/receipts"
)

type ignore struct{}

func (ignore) Request(*follow.Exchange, follow.Head)  {}
func (ignore) RequestBody(*follow.Exchange, []byte)   {}
func (ignore) Response(*follow.Exchange, follow.Head) {}
func (ignore) ResponseBody(*follow.Exchange, []byte)  {}
func (ignore) Done(*follow.Exchange)                  {}
func (ignore) Opaque(follow.Reason)                   {}
func (ignore) Reserve(int) bool                       { return true }

func all(*follow.Exchange) bool { return true }

const (
	request = "POST /v2/models/m/infer HTTP/1.1\r\n\r\n"
	answer  = "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\n\r\nhi"
)

var at = time.Date(2026, 1, 2, 15, 4, 5, 678e6, time.UTC)

// edit shows the pieces of a response and returns what becomes of them.
func edit(t testing.TB, i *receipts.Issuer, requests int, pieces ...string) string {
	t.Helper()
	f := i.Follow(ignore{}, all)
	f.Request([]byte(strings.Repeat(request, requests)), at)
	var out strings.Builder
	for _, piece := range pieces {
		buf := append(make([]byte, i.Room()), piece...)
		from := f.Edit(buf, i.Room(), at)
		if from < 0 || from > i.Room() {
			t.Fatalf("what is to be written begins at %d of %d", from, i.Room())
		}
		out.Write(buf[from:])
	}
	return out.String()
}

var line = regexp.MustCompile(`Leeway-Receipt: ([^\r\n]*)\r\n`)

// check fails unless each answer has a receipt behind its status line, all different, and nothing else is changed.
func check(t testing.TB, what, got string, answers int, want string) {
	t.Helper()
	if rest := line.ReplaceAllString(got, ""); rest != want {
		t.Errorf("%s: the rest is %q, want %q", what, rest, want)
	}
	seen := map[string]bool{}
	for _, m := range line.FindAllStringSubmatch(got, -1) {
		r, err := receipt.Parse(m[1])
		if err != nil || r.Model != "churn" || r.Version != "7" || !r.Time.Equal(at) {
			t.Errorf("%s: %q is %+v, %v", what, m[1], r, err)
		}
		seen[m[1]] = true
	}
	if n := strings.Count(got, "HTTP/1.1 200 OK\r\nLeeway-Receipt: "); len(seen) != answers || n != answers {
		t.Errorf("%s: %d receipts, %d behind a status line, want %d", what, len(seen), n, answers)
	}
}

func issuer(t testing.TB) *receipts.Issuer {
	t.Helper()
	i, err := receipts.New("churn", "7")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestReceiptsWhereverItIsCut(t *testing.T) {
	i, two := issuer(t), answer+answer
	check(t, "whole", edit(t, i, 2, two), 2, two)
	for n := range two {
		check(t, fmt.Sprint("cut at ", n), edit(t, i, 2, two[:n], two[n:]), 2, two)
		for m := range n {
			check(t, fmt.Sprint("cut at ", m, " and ", n), edit(t, i, 2, two[:m], two[m:n], two[n:]), 2, two)
		}
	}
	check(t, "byte by byte", edit(t, i, 2, strings.Split(two, "")...), 2, two)
}

// As many answers as can wait find room in one read.
func TestRoom(t *testing.T) {
	i, many := issuer(t), strings.Repeat(answer, follow.MaxWaiting)
	check(t, "pipelined", edit(t, i, follow.MaxWaiting, many), follow.MaxWaiting, many)
	if i.Room() > 16<<10 {
		t.Errorf("%d bytes of room", i.Room())
	}
}

// A receipt that the server sends itself is the server's.
func TestTheServersOwn(t *testing.T) {
	own := "Leeway-Receipt: 1.other.1.mjx08awe.z\r\n"
	with := strings.Replace(answer, "Server: s\r\n", own, 1)
	got := edit(t, issuer(t), 1, with)
	if !strings.Contains(got, own) || strings.Count(got, "Leeway-Receipt: ") != 2 || strings.Index(got, own) < 60 {
		t.Errorf("%q", got)
	}
}

// A clock that is far off costs the receipt only.
func TestNoYear(t *testing.T) {
	i := issuer(t)
	f := i.Follow(ignore{}, all)
	f.Request([]byte(request), at)
	buf := append(make([]byte, i.Room()), answer...)
	if from := f.Edit(buf, i.Room(), time.Unix(-1, 0)); string(buf[from:]) != answer {
		t.Errorf("%q", buf[from:])
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		model, version string
		want           error
	}{
		{"churn", "", receipt.ErrInvalid},
		{"", "7", receipt.ErrInvalid},
		{strings.Repeat("m", 95), "7", receipt.ErrTooLong},
		{strings.Repeat("m", 63), strings.Repeat("v", 30), nil},
		{"a b\r\nc", "é", nil},
	} {
		if _, err := receipts.New(c.model, c.version); !errors.Is(err, c.want) {
			t.Errorf("%q %q: %v, want %v", c.model, c.version, err, c.want)
		}
	}
}

func BenchmarkEdit(b *testing.B) {
	i := issuer(b)
	f := i.Follow(ignore{}, all)
	buf := make([]byte, i.Room()+len(answer))
	for b.Loop() {
		copy(buf[i.Room():], answer)
		f.Request([]byte(request), at)
		f.Edit(buf, i.Room(), at)
	}
}
