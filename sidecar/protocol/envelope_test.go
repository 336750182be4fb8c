package protocol_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// told is what a parser makes of a body.
func told(p *protocol.Parser, body []byte, answer bool) string {
	s := newSheet("a", "b", "c")
	read := p.Features
	if answer {
		read = p.Predictions
	}
	err := read(protocol.Message{Kind: protocol.V2, Body: body}, s)
	return fmt.Sprint(s, " ", err)
}

const (
	enveloped = `{"id":"1","inputs":[{"name":"x","shape":[2,3],"datatype":"FP32","data":[[1,2,3],[4.5,-1,0]]}]} `
	flat      = `{"inputs":[{"data":[1,2,3],"shape":[1,3],"datatype":"INT64","name":"x"}],"parameters":{"data":[1]}}`
)

// After a body like it, a body is told as if it were the first.
func TestEnvelope(t *testing.T) {
	for _, c := range []struct{ old, new string }{
		{"[[1,2,3],[4.5,-1,0]]", "[[7,8,9],[1,1,1]]"},
		{"[[1,2,3],[4.5,-1,0]]", "[7, 8,9,1,1,1]"},
		{"[[1,2,3],[4.5,-1,0]]", "[7,8,9,1,1]"},                   // too few
		{"[[1,2,3],[4.5,-1,0]]", "[7,8,9,1,1,1],\"data\":[1]"},    // twice
		{"[[1,2,3],[4.5,-1,0]]", "[7,8,9,1,1,1"},                  // no end
		{"[[1,2,3],[4.5,-1,0]]", "[7,8,9,1,1,1]]"},                // too many
		{"[[1,2,3],[4.5,-1,0]]", "[7,8,9,1,1,1],\"name\":\"a\""},  // more than data
		{"[[1,2,3],[4.5,-1,0]]", "[7,8,9,1,1,1]}]} "},             // the end comes twice
		{"[[1,2,3],[4.5,-1,0]]", `["7","x",null,true,0.1,16.25]`}, // not only numbers
		{"[2,3]", "[3,2]"},
		{"[2,3]", "[1,6]"},
		{"FP32", "FP64"},
		{"\"x\"", "\"a\""},
		{"} ", "}"},
		{"} ", "} x"},
	} {
		var used, fresh protocol.Parser
		changed := bytes.Replace([]byte(enveloped), []byte(c.old), []byte(c.new), 1)
		told(&used, []byte(enveloped), false)
		told(&used, []byte(flat), true)
		for range 2 {
			if got, want := told(&used, changed, false), told(&fresh, changed, false); got != want {
				t.Errorf("%s: told %s, as the first %s", changed, got, want)
			}
		}
	}
}

// What was read before does not matter: a body that differs from the last by any change tells what it tells alone.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(enveloped), uint(72), uint(5), []byte("9,9,9"), false)
	f.Add([]byte(flat), uint(20), uint(5), []byte("9,9,9,9"), false)
	f.Add([]byte(`{"outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[7]}]}`), uint(62), uint(1), []byte("null"), true)
	f.Fuzz(func(t *testing.T, body []byte, at, n uint, with []byte, answer bool) {
		at = min(at, uint(len(body)))
		n = min(n, uint(len(body))-at)
		changed := slices.Concat(body[:at], with, body[at+n:])
		var used, fresh protocol.Parser
		first := told(&used, body, answer)
		if got, want := told(&used, changed, answer), told(&fresh, changed, answer); got != want {
			t.Fatalf("%s behind %s: told %s, alone %s", changed, body, got, want)
		}
		if got := told(&used, body, answer); got != first {
			t.Fatalf("%s again behind %s: told %s, at first %s", body, changed, got, first)
		}
	})
}
