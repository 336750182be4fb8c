package follow_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/leeway-dev/leeway/sidecar/follow"
)

// A server may speak before it has heard the preface.
func TestServerSpeaksFirst(t *testing.T) {
	k := newTalk(t)
	k.steps[0], k.steps[1], k.steps[2] = k.steps[2], k.steps[0], k.steps[1]
	k.post(1, true)
	k.server.headers(1, true, ":status", "200")
	want := []string{asked(1), "1 200", done(1, follow.Answered, 200, true, false, "", "")}
	if d := cmp.Diff(want, cuts(t, k.steps).lines); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

// Header compression is followed through the table sizes that the other end allows, and through changes of size.
func TestTableSize(t *testing.T) {
	for _, allowed := range []uint32{0, 100, 4096, follow.MaxTable} {
		k := newTalk(t, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20},
			http2.Setting{ID: http2.SettingHeaderTableSize, Val: allowed})
		k.client.hpack.SetMaxDynamicTableSizeLimit(allowed)
		k.client.hpack.SetMaxDynamicTableSize(allowed)
		for i := range 300 { // more fields than 4,096 bytes hold, used again
			k.client.headers(uint32(2*i+1), true, ":method", "POST", ":path", "/p", fmt.Sprint("name", i%150), "value")
		}
		j := cuts(t, append(k.steps, step{"client-end", ""}))
		if n := strings.Count(strings.Join(j.lines, "\n"), "POST /p"); n != 300 || j.held != 0 {
			t.Errorf("%d allowed: %d requests, %d bytes still reserved; the last event is %s",
				allowed, n, j.held, j.lines[len(j.lines)-1])
		}
	}
}

// A table that is made smaller and larger again between two requests is told of in two updates.
func TestTableSizeTwice(t *testing.T) {
	k := newTalk(t)
	k.post(1, true)
	k.client.hpack.SetMaxDynamicTableSize(100)
	k.client.hpack.SetMaxDynamicTableSize(1000)
	k.post(3, true)
	k.post(5, true)
	if d := cmp.Diff([]string{asked(1), asked(2), asked(3)}, cuts(t, k.steps).lines); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

func TestGRPCStatus(t *testing.T) {
	want := []int{200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401, 500}
	for code, want := range want {
		k := newTalk(t)
		k.call(1, true)
		k.server.headers(1, false, ":status", "200")
		k.server.headers(1, true, "grpc-status", fmt.Sprint(code))
		lines := []string{called(1), "1 200", done(1, follow.Answered, want, true, false, "", "")}
		if d := cmp.Diff(lines, play(k.steps, whole).lines); d != "" {
			t.Errorf("%d (-want +got):\n%s", code, d)
		}
	}
}

// What two real servers and their clients said.
func TestRealGRPC(t *testing.T) {
	for _, server := range []string{"kserve", "mlserver"} {
		steps := []step{{"<", read(t, server, "c2s")}, {">", read(t, server, "s2c")}}
		j := cuts(t, steps)
		var ends []string
		for _, l := range j.lines {
			if strings.Contains(l, " done ") {
				ends = append(ends, l[:strings.Index(l, " request=")])
			}
		}
		first := "1 POST /inference.GRPCInferenceService/ModelInfer length=-1 encoded=false"
		if len(j.lines) != 6 || j.lines[0] != first {
			t.Errorf("%s: %q", server, j.lines)
		}
		end := " done outcome=0 status=200 complete=true early=false"
		want := []string{"1" + end, "2" + end}
		if d := cmp.Diff(want, ends); d != "" {
			t.Errorf("%s (-want +got):\n%s", server, d)
		}
	}
}

func read(t testing.TB, server, direction string) string {
	b, err := os.ReadFile("testdata/" + server + "/grpc." + direction + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWaitingStreams(t *testing.T) {
	k := newTalk(t)
	k.post(1, true)
	k.post(3, true)
	k.server.headers(1, true, ":status", "200")
	p := follow.New(&journal{})
	var seen []int
	for _, s := range k.steps {
		if s.from == "<" {
			p.Request([]byte(s.bytes), time.Unix(0, 0))
		} else {
			p.Response([]byte(s.bytes), time.Unix(0, 0))
		}
		if n := p.Waiting(); len(seen) == 0 || seen[len(seen)-1] != n {
			seen = append(seen, n)
		}
	}
	if d := cmp.Diff([]int{0, 1, 2, 1}, seen); d != "" {
		t.Errorf("waiting (-want +got):\n%s", d)
	}
}
