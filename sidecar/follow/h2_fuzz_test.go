package follow_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shuffle deals what the two ends say out in turn, in pieces of random length; 0 for no seed: the client first, whole.
func shuffle(client, server string, seed uint64) (steps []step) {
	if seed == 0 {
		return []step{{"<", client}, {">", server}}
	}
	r := rand.New(rand.NewPCG(seed, 3))
	take := func(from string, s *string) {
		if len(*s) > 0 {
			n := 1 + r.IntN(len(*s))
			steps = append(steps, step{from, (*s)[:n]})
			*s = (*s)[n:]
		}
	}
	for len(client)+len(server) > 0 {
		take("<", &client)
		take(">", &server)
	}
	return steps
}

func FuzzHTTP2(f *testing.F) {
	seed := func(steps []step) {
		var said [2]string
		for _, s := range steps {
			if s.from == "<" {
				said[0] += s.bytes
			} else {
				said[1] += s.bytes
			}
		}
		if len(said[0]) < 10<<10 {
			f.Add([]byte(said[0]), []byte(said[1]), uint64(0))
			f.Add([]byte(said[0]), []byte(said[1]), uint64(len(said[0])))
		}
	}
	for _, c := range talks {
		k := newTalk(f)
		c.say(k)
		seed(k.steps)
	}
	for _, c := range broken {
		k := newTalk(f)
		c.say(k)
		seed(k.steps)
	}
	for _, server := range []string{"kserve", "mlserver"} {
		seed([]step{{"<", read(f, server, "c2s")}, {">", read(f, server, "s2c")}})
	}
	f.Fuzz(func(t *testing.T, client, server []byte, seed uint64) {
		steps := append(shuffle(string(client), string(server), seed), step{"server-end", ""}, step{"client-end", ""})
		want := play(steps, whole)
		r := rand.New(rand.NewPCG(seed, 4))
		got := play(steps, func(n int) int { return 1 + r.IntN(n) })
		if d := cmp.Diff(want.lines, got.lines); d != "" {
			t.Fatalf("a cut changes the events:\n%s", d)
		}
		ends := 0
		for _, l := range want.lines {
			switch {
			case l == "opaque panic", strings.HasSuffix(l, "after its end"):
				t.Fatal(l)
			case strings.Contains(l, " done "):
				ends++
			}
		}
		if ends != want.n || want.held != 0 || got.held != 0 {
			t.Fatalf("%d of %d exchanges done, %d and %d bytes held", ends, want.n, want.held, got.held)
		}
	})
}
