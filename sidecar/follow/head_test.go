package follow_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/sidecar/follow"
)

// heads is a Sink that keeps what heads say.
type heads struct {
	journal
	said []string
}

func (h *heads) Request(_ *follow.Exchange, head follow.Head) {
	h.said = append(h.said, fmt.Sprintf("%q %q %d", head.ContentType, head.Encoding, head.HeaderLength))
}

func TestWhatHeadsSay(t *testing.T) {
	longest := fmt.Sprint(math.MaxInt64)
	for lines, want := range map[string]string{
		"":                           `"" "" -1`,
		"Content-Encoding: gzip":     `"" "gzip" -1`,
		"content-encoding:  GZip ":   `"" "GZip" -1`,
		"Content-Encoding: identity": `"" "" -1`,
		"Content-Encoding: gzip\r\nContent-Encoding: br":                           `"" "gzip, br" -1`,
		"Content-Type: a/b\r\nInference-Header-Content-Length: 17":                 `"a/b" "" 17`,
		"INFERENCE-HEADER-CONTENT-LENGTH: 0":                                       `"" "" 0`,
		"Inference-Header-Content-Length: -1":                                      `"" "" ` + longest,
		"Inference-Header-Content-Length: 1\r\nInference-Header-Content-Length: 1": `"" "" ` + longest,
	} {
		var h heads
		if lines != "" {
			lines += "\r\n"
		}
		follow.New(&h).Request([]byte("POST / HTTP/1.1\r\n"+lines+"\r\n"), time.Now())
		if len(h.said) != 1 || h.said[0] != want {
			t.Errorf("%q: %q, want %s", lines, h.said, want)
		}
	}
}
