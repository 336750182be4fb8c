package follow_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/leeway-dev/leeway/sidecar/follow"
)

// asked, called and done are lines of a journal.
func asked(id int) string { return fmt.Sprintf("%d POST /p length=-1 encoded=false", id) }

func called(id int) string { return fmt.Sprintf("%d POST /s/m length=-1 encoded=false", id) }

func done(id int, o follow.Outcome, status int, complete, early bool, request, response string) string {
	return fmt.Sprintf("%d done outcome=%d status=%d complete=%v early=%v request=%q response=%q",
		id, o, status, complete, early, request, response)
}

// talks are conversations that are followed to their end.
var talks = []struct {
	name string
	say  func(*talk)
	want []string
}{
	{"bodies both ways", func(k *talk) {
		k.post(1, false)
		k.client.data(1, false, "ab")
		k.client.data(1, true, "c")
		k.server.headers(1, false, ":status", "200", "content-type", "text/plain")
		k.server.data(1, false, "hi")
		k.server.data(1, true, "")
	}, []string{asked(1), "1 200", done(1, follow.Answered, 200, true, false, "abc", "hi")}},
	{"what the head says", func(k *talk) {
		k.client.headers(1, true, ":method", "PUT", ":path", "/p", "content-length", "0", "content-encoding", "gzip")
		k.server.headers(1, true, ":status", "204")
	}, []string{"1 PUT /p length=0 encoded=true", "1 204", done(1, follow.Answered, 204, true, false, "", "")}},
	{"trailers both ways", func(k *talk) {
		k.post(1, false)
		k.client.data(1, false, "abc")
		k.client.headers(1, true, "x", "y")
		k.server.headers(1, false, ":status", "200")
		k.server.data(1, false, "hi")
		k.server.headers(1, true, "x", "y")
	}, []string{asked(1), "1 200", done(1, follow.Answered, 200, true, false, "abc", "hi")}},
	{"padding, priority, continuation", func(k *talk) {
		b := k.client.encode(":method", "POST", ":path", "/p", "a", strings.Repeat("b", 99))
		k.client.say(func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{
				StreamID: 5, BlockFragment: b[:3], PadLength: 7, Priority: http2.PriorityParam{StreamDep: 3, Weight: 9},
			})
		})
		k.client.say(func(f *http2.Framer) error { return f.WriteContinuation(5, false, nil) })
		k.client.say(func(f *http2.Framer) error { return f.WriteContinuation(5, true, b[3:]) })
		k.client.say(func(f *http2.Framer) error { return f.WriteDataPadded(5, true, []byte("abc"), make([]byte, 200)) })
		k.server.headers(5, false, ":status", "200")
		k.server.say(func(f *http2.Framer) error { return f.WriteDataPadded(5, false, nil, make([]byte, 255)) })
		k.server.say(func(f *http2.Framer) error { return f.WriteDataPadded(5, true, []byte("hi"), []byte{0}) })
	}, []string{asked(1), "1 200", done(1, follow.Answered, 200, true, false, "abc", "hi")}},
	{"streams together", func(k *talk) {
		k.post(1, false)
		k.post(3, false)
		k.client.data(3, true, "three")
		k.client.data(1, true, "one")
		k.server.headers(3, false, ":status", "200")
		k.server.headers(1, false, ":status", "201")
		k.server.data(1, false, "1")
		k.server.data(3, true, "3")
		k.server.data(1, true, "1")
	}, []string{asked(1), asked(2), "2 200", "1 201", done(2, follow.Answered, 200, true, false, "three", "3"),
		done(1, follow.Answered, 201, true, false, "one", "11")}},
	{"frames to pass over", func(k *talk) {
		k.client.say(func(f *http2.Framer) error { return f.WriteWindowUpdate(0, 99) })
		k.client.say(func(f *http2.Framer) error { return f.WritePriority(9, http2.PriorityParam{StreamDep: 3}) })
		k.client.say(func(f *http2.Framer) error { return f.WriteRawFrame(0xbb, 0xff, 77, make([]byte, 300)) })
		k.post(1, true)
		k.server.say(func(f *http2.Framer) error { return f.WritePing(false, [8]byte{}) })
		k.server.say(func(f *http2.Framer) error { return f.WriteGoAway(1, 0, []byte("bye")) })
		k.server.headers(1, true, ":status", "200")
	}, []string{asked(1), "1 200", done(1, follow.Answered, 200, true, false, "", "")}},
	{"interim response", func(k *talk) {
		k.post(1, false)
		k.server.headers(1, false, ":status", "100")
		k.client.data(1, true, "abc")
		k.server.headers(1, true, ":status", "200")
	}, []string{asked(1), "1 200", done(1, follow.Answered, 200, true, false, "abc", "")}},
	{"early answer", func(k *talk) {
		k.post(1, false)
		k.client.data(1, false, "ab")
		k.server.headers(1, true, ":status", "413")
		k.client.data(1, false, "late")
		k.server.reset(1, http2.ErrCodeNo)
		k.client.data(1, false, "later")
		k.client.headers(1, true, "trailer", "t")
		k.post(3, true)
		k.server.headers(3, true, ":status", "200")
	}, []string{asked(1), "1 413", done(1, follow.Answered, 413, false, true, "ab", ""),
		asked(2), "2 200", done(2, follow.Answered, 200, true, false, "", "")}},
	{"resets", func(k *talk) {
		for id := uint32(1); id < 6; id += 2 {
			k.post(id, true)
			k.server.headers(id, false, ":status", "200")
		}
		k.client.reset(1, http2.ErrCodeCancel)
		k.server.data(1, false, "late")
		k.server.headers(1, true, "trailer", "t")
		k.server.reset(3, http2.ErrCodeInternal)
		k.server.reset(5, http2.ErrCodeNo)
	}, []string{asked(1), "1 200", asked(2), "2 200", asked(3), "3 200",
		done(1, follow.ClientGone, 200, true, false, "", ""),
		done(2, follow.ServerReset, 200, true, false, "", ""), done(3, follow.ServerReset, 200, true, false, "", "")}},
	{"server goes away", func(k *talk) {
		k.post(1, true)
		k.post(3, true)
		k.server.say(func(f *http2.Framer) error { return f.WriteGoAway(1, 0, nil) })
		k.post(5, true)
		k.server.headers(1, true, ":status", "200")
	}, []string{asked(1), asked(2), done(2, follow.Lost, 0, true, false, "", ""), "1 200",
		done(1, follow.Answered, 200, true, false, "", "")}},
	{"server push", func(k *talk) {
		k.post(1, true)
		b := k.server.encode(":method", "GET", ":path", "/pushed", "a", "b")
		k.server.say(func(f *http2.Framer) error {
			return f.WritePushPromise(http2.PushPromiseParam{
				StreamID: 1, PromiseID: 2, BlockFragment: b, EndHeaders: true, PadLength: 3,
			})
		})
		k.server.headers(2, false, ":status", "200", "a", "b")
		k.server.data(2, true, "pushed")
		k.server.headers(1, true, ":status", "200", "a", "b")
	}, []string{asked(1), "1 200", done(1, follow.Answered, 200, true, false, "", "")}},
	{"server closes", func(k *talk) { k.post(1, true); k.post(3, false); k.then("server-end") },
		[]string{asked(1), asked(2), done(1, follow.ServerClosed, 0, true, false, "", ""),
			done(2, follow.ServerClosed, 0, false, false, "", "")}},
	{"server resets", func(k *talk) { k.post(1, true); k.then("server-reset") },
		[]string{asked(1), done(1, follow.ServerReset, 0, true, false, "", "")}},
	{"client goes", func(k *talk) { k.post(1, true); k.then("client-fin"); k.then("server-end") },
		[]string{asked(1), done(1, follow.ClientGone, 0, true, false, "", "")}},
	{"grpc: trailers", func(k *talk) {
		k.call(1, false)
		k.client.data(1, true, "\x00\x00\x00\x00\x01a")
		k.server.headers(1, false, ":status", "200", "content-type", "application/grpc")
		k.server.data(1, false, "\x00\x00\x00\x00\x01b")
		k.server.headers(1, true, "grpc-status", "0", "grpc-message", "")
	}, []string{called(1), "1 200",
		done(1, follow.Answered, 200, true, false, "\x00\x00\x00\x00\x01a", "\x00\x00\x00\x00\x01b")}},
	{"grpc: nothing but trailers", func(k *talk) {
		k.call(1, true)
		k.server.headers(1, true, ":status", "200", "grpc-status", "12")
	}, []string{called(1), "1 501", done(1, follow.Answered, 501, true, false, "", "")}},
	{"grpc: no status", func(k *talk) {
		k.call(1, true)
		k.server.headers(1, false, ":status", "200")
		k.server.data(1, true, "b")
		k.call(3, true)
		k.server.headers(3, false, ":status", "503")
		k.server.data(3, true, "b")
	}, []string{called(1), "1 200", done(1, follow.Answered, 500, true, false, "", "b"),
		called(2), "2 503", done(2, follow.Answered, 503, true, false, "", "b")}},
	{"grpc-web has its trailers elsewhere", func(k *talk) {
		k.client.headers(1, true, ":method", "POST", ":path", "/p", "content-type", "application/grpc-web+proto")
		k.server.headers(1, true, ":status", "200")
	}, []string{asked(1), "1 200", done(1, follow.Answered, 200, true, false, "", "")}},
}

// cuts plays steps whole, byte by byte and cut at random, and wants the same events.
func cuts(t *testing.T, steps []step) *journal {
	t.Helper()
	j := play(steps, whole)
	if d := cmp.Diff(j.lines, play(steps, bytewise).lines); d != "" {
		t.Errorf("byte by byte (-whole +cut):\n%s", d)
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		if d := cmp.Diff(j.lines, play(steps, func(n int) int { return 1 + r.IntN(n) }).lines); d != "" {
			t.Fatalf("cut with seed %d (-whole +cut):\n%s", seed, d)
		}
	}
	return j
}

func TestFollowHTTP2(t *testing.T) {
	for _, c := range talks {
		t.Run(c.name, func(t *testing.T) {
			k := newTalk(t)
			c.say(k)
			k.then("client-end")
			j := cuts(t, k.steps)
			if d := cmp.Diff(c.want, j.lines); d != "" {
				t.Errorf("events (-want +got):\n%s", d)
			}
			if j.held != 0 {
				t.Errorf("%d bytes still reserved", j.held)
			}
		})
	}
}
