package relay_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/receipt"
	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/receipts"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// startIssuing runs a relay that gives a receipt to every answer that may have one, and returns its address.
func startIssuing(t testing.TB, portable bool, upstream string) string {
	t.Helper()
	issuer, err := receipts.New("churn", "7")
	if err != nil {
		t.Fatal(err)
	}
	all := func(*follow.Exchange) bool { return true }
	r := relay.New(relay.Config{
		Upstream: upstream, NewFollower: func() relay.Follower { return issuer.Follow(ignore{}, all) },
		Room: issuer.Room(), Failed: func(relay.Reason) {}, Portable: portable, Log: zap.NewNop(),
	})
	l, done := listen(t), make(chan error, 1)
	go func() { done <- r.Serve(l) }()
	t.Cleanup(func() {
		r.Shutdown(t.Context())
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

// taker is a client's connection that takes receipts out of what it reads.
type taker struct {
	*net.TCPConn
	raw, clean []byte // what came; of it, what is no receipt and has not been read yet
	inLine     bool   // clean has left off within a line
	err        error
	receipts   []string
}

var receiptLine = regexp.MustCompile(`^Leeway-Receipt: ([!-~]{1,120})\r\n`)

// Read is part of io.Reader.
func (c *taker) Read(b []byte) (int, error) {
	buf := make([]byte, 32<<10)
	for len(c.clean) == 0 && c.err == nil {
		var n int
		n, c.err = c.TCPConn.Read(buf)
		c.raw = append(c.raw, buf[:n]...)
		c.take()
	}
	if len(c.clean) == 0 {
		return 0, c.err
	}
	n := copy(b, c.clean)
	c.clean = c.clean[n:]
	return n, nil
}

// take moves raw to clean, but for receipts, and for a line that may become one.
func (c *taker) take() {
	for len(c.raw) > 0 {
		if !c.inLine {
			if m := receiptLine.FindSubmatch(c.raw); m != nil {
				c.receipts, c.raw = append(c.receipts, string(m[1])), c.raw[len(m[0]):]
				continue
			}
			const name = "Leeway-Receipt: "
			if n := min(len(c.raw), len(name)); len(c.raw) < 138 && string(c.raw[:n]) == name[:n] && c.err == nil {
				return
			}
		}
		n := bytes.IndexByte(c.raw, '\n') + 1
		if c.inLine = n == 0; c.inLine {
			n = len(c.raw)
		}
		c.clean, c.raw = append(c.clean, c.raw[:n]...), c.raw[n:]
	}
}

// compare plays s directly and through a relay that hands out receipts, and returns these. All else must be the same.
func compare(t *testing.T, l *net.TCPListener, through string, s script, cut func(int) int) []string {
	t.Helper()
	c, sv := exchange(t, l, l.Addr().String(), s.client, s.server, whole)
	conn, err := net.Dial("tcp", through)
	if err != nil {
		t.Fatal(err)
	}
	k := &taker{TCPConn: conn.(*net.TCPConn)}
	c2, s2 := exchangeOn(k, l, s.client, s.server, cut)
	if c2 != c {
		t.Errorf("the client saw\n%s\nand through the relay\n%s", describe(c), describe(c2))
	}
	if s2 != sv {
		t.Errorf("the server saw\n%s\nand through the relay\n%s", describe(sv), describe(s2))
	}
	for _, text := range k.receipts {
		if r, err := receipt.Parse(text); err != nil || r.Model != "churn" || r.Version != "7" || time.Since(r.Time).Abs() > time.Minute {
			t.Errorf("receipt %q: %+v, %v", text, r, err)
		}
	}
	return k.receipts
}

// unmarked are the scripts in which an answer that looks as if it had a receipt has none, with how many do.
var unmarked = map[string]int{
	"length and chunked": 0, "two lengths": 0, "gzip coding": 0, "folded header": 0, "bare newlines": 0, "connect": 0,
	"pipelined beyond the limit": 0, "big head": 0,
}

// Whatever two programs say to each other, receipts are all that a relay adds: one for each success.
func TestReceiptsFidelity(t *testing.T) { each(t, testReceiptsFidelity) }

func testReceiptsFidelity(t *testing.T, portable bool) {
	l := listen(t)
	through := startIssuing(t, portable, l.Addr().String())
	counted := len(scripts())
	for i, s := range allScripts(t) {
		t.Run(s.name, func(t *testing.T) {
			want, ok := unmarked[s.name]
			if !ok {
				for _, o := range s.server {
					want += strings.Count(o.send, "HTTP/1.1 2")
				}
			}
			cuts := map[string]func(int) int{"whole": whole, "cut": random(1), "cut otherwise": random(2)}
			if size(s) < 2000 {
				cuts["1-byte segments"] = bytewise
			}
			for name, cut := range cuts {
				if got := compare(t, l, through, s, cut); i < counted && len(got) != want {
					t.Errorf("%s: %d receipts, want %d", name, len(got), want)
				}
			}
		})
	}
}

// The same for conversations that nobody thought of.
func FuzzReceipts(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed)
	}
	l := listen(f)
	relays := map[string]string{}
	eachOf(func(name string, portable bool) { relays[name] = startIssuing(f, portable, l.Addr().String()) })
	f.Fuzz(func(t *testing.T, seed uint64) {
		counts := map[int]bool{}
		for _, through := range relays {
			counts[len(compare(t, l, through, conversation(seed), random(seed)))] = true
		}
		if len(counts) > 1 {
			t.Errorf("the relays hand out different numbers of receipts: %v", counts)
		}
	})
}

// Wherever an answer is cut, it has its receipt.
func TestReceiptsCutAnywhere(t *testing.T) { each(t, testReceiptsCutAnywhere) }

func testReceiptsCutAnywhere(t *testing.T, portable bool) {
	l := listen(t)
	through := startIssuing(t, portable, l.Addr().String())
	answers := okAnswer + okAnswer
	for at := 1; at < len(answers); at++ {
		s := script{
			client: []op{send(get + get), read(answers[:at]), send("."), read(answers[at:]), act("fin")},
			server: []op{read(get + get), send(answers[:at]), read("."), send(answers[at:]), act("fin")},
		}
		if got := compare(t, l, through, s, whole); len(got) != 2 {
			t.Errorf("cut at %d: %d receipts, want 2", at, len(got))
		}
	}
}

// A client that reads slowly gets every byte of many answers, each with its receipt; what waits stays with the server.
func TestReceiptsToASlowReader(t *testing.T) { each(t, testReceiptsToASlowReader) }

func testReceiptsToASlowReader(t *testing.T, portable bool) {
	const n = 60
	l := listen(t)
	through := startIssuing(t, portable, l.Addr().String())
	body := strings.Repeat("0123456789abcdef", 16<<10)
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	small := strings.Repeat(okAnswer, n/2)
	want := small + strings.Repeat(answer, n/2)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.ReadFull(c, make([]byte, n*len(get)))
		io.WriteString(c, want)
	}()
	conn := dial(t, through)
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, strings.Repeat(get, n))
	k := &taker{TCPConn: conn.(*net.TCPConn)}
	var got strings.Builder
	for buf := make([]byte, 100_000); ; time.Sleep(time.Millisecond) {
		m, err := k.Read(buf)
		if got.Write(buf[:m]); err != nil {
			break
		}
	}
	if got.String() != want || len(k.receipts) != n {
		t.Errorf("%d bytes with %d receipts, want %d with %d", got.Len(), len(k.receipts), len(want), n)
	}
}
