package relay_test

import (
	"strings"

	"golang.org/x/net/http2"
)

// frameScripts are conversations of HTTP/2 as it may be spoken.
func frameScripts() []script {
	return []script{
		http2Script("nothing but settings", func(d *dialogue) {}),
		http2Script("pings both ways", func(d *dialogue) {
			d.c.WritePing(false, [8]byte{1})
			d.s.WritePing(true, [8]byte{1})
			d.s.WritePing(false, [8]byte{2})
			d.answers()
			d.c.WritePing(true, [8]byte{2})
		}),
		http2Script("windows", func(d *dialogue) {
			d.c.WriteWindowUpdate(0, 1<<20)
			d.c.post(1)
			d.c.WriteWindowUpdate(1, 1<<16)
			d.s.WriteWindowUpdate(1, 1<<31-1)
			d.answers()
			d.c.WriteData(1, true, []byte(strings.Repeat("w", 16000)))
			d.s.headers(1, true, ":status", "204")
			d.answers()
		}),
		http2Script("padding and priority", func(d *dialogue) {
			d.c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: d.c.fields(":method", "POST", ":path", "/"), EndHeaders: true,
				PadLength: 255, Priority: http2.PriorityParam{StreamDep: 3, Exclusive: true, Weight: 9}})
			d.c.WriteDataPadded(1, true, []byte("body"), make([]byte, 200))
			d.c.WritePriority(5, http2.PriorityParam{StreamDep: 1})
			d.s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: d.s.fields(":status", "200"), EndHeaders: true, PadLength: 7})
			d.s.WriteDataPadded(1, true, nil, make([]byte, 255))
			d.answers()
		}),
		http2Script("continuations", func(d *dialogue) {
			b := d.c.fields(":method", "GET", ":path", "/", "x", strings.Repeat("long ", 2000))
			d.c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:10], EndStream: true})
			d.c.WriteContinuation(1, false, b[10:5000])
			d.c.WriteContinuation(1, false, nil)
			d.c.WriteContinuation(1, true, b[5000:])
			d.s.headers(1, true, ":status", "200")
			d.answers()
		}),
		http2Script("interim answers and trailers", func(d *dialogue) {
			d.c.post(1, "trailer", "sum")
			d.c.WriteData(1, false, []byte("body"))
			d.c.headers(1, true, "sum", "1")
			d.s.headers(1, false, ":status", "103", "link", "</a>")
			d.s.headers(1, false, ":status", "100")
			d.s.headers(1, false, ":status", "200")
			d.s.WriteData(1, false, []byte("answer"))
			d.s.headers(1, true, "sum", "2")
			d.answers()
		}),
		http2Script("streams answered out of order", func(d *dialogue) {
			for _, stream := range []uint32{1, 3, 5, 7} {
				d.c.post(stream)
			}
			for _, stream := range []uint32{5, 1, 7, 3} {
				d.c.WriteData(stream, true, []byte("body"))
			}
			for _, stream := range []uint32{7, 3, 1, 5} {
				d.s.headers(stream, false, ":status", "200")
			}
			for _, stream := range []uint32{3, 7, 5, 1} {
				d.s.WriteData(stream, true, []byte("answer"))
			}
			d.answers()
		}),
		http2Script("client resets a stream", func(d *dialogue) {
			d.c.post(1)
			d.c.post(3)
			d.c.WriteData(1, false, []byte("half"))
			d.c.WriteRSTStream(1, http2.ErrCodeCancel)
			d.c.WriteData(3, true, []byte("whole"))
			d.s.headers(1, true, ":status", "200") // it had been on its way
			d.s.headers(3, true, ":status", "200")
			d.answers()
		}),
		http2Script("server resets a stream", func(d *dialogue) {
			d.c.get(1)
			d.c.get(3)
			d.s.headers(1, false, ":status", "200")
			d.s.WriteRSTStream(1, http2.ErrCodeInternal)
			d.s.WriteRSTStream(3, http2.ErrCodeRefusedStream)
			d.answers()
			d.c.get(5)
			d.s.headers(5, true, ":status", "200")
			d.answers()
		}),
		http2Script("early answer", func(d *dialogue) {
			d.c.post(1)
			d.c.WriteData(1, false, []byte("half"))
			d.s.headers(1, true, ":status", "413")
			d.s.WriteRSTStream(1, http2.ErrCodeNo)
			d.answers()
			d.c.WriteData(1, true, []byte("rest"))
		}),
		http2Script("going away", func(d *dialogue) {
			d.c.get(1)
			d.c.get(3)
			d.s.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)
			d.s.WriteGoAway(1, http2.ErrCodeNo, []byte("bye"))
			d.s.headers(1, true, ":status", "200")
			d.answers()
			d.c.WriteGoAway(0, http2.ErrCodeNo, nil)
		}),
		http2Script("settings change the table", func(d *dialogue) {
			d.c.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
			d.c.get(1)
			d.s.WriteSettingsAck()
			d.s.table.SetMaxDynamicTableSize(0)
			d.s.headers(1, true, ":status", "200", "x", "y")
			d.answers()
			d.c.get(3)
			d.s.headers(3, true, ":status", "200", "x", "y")
			d.answers()
		}),
		http2Script("websocket", func(d *dialogue) {
			d.c.headers(1, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/ws", ":authority", "m")
			d.s.headers(1, false, ":status", "200")
			d.answers()
			d.c.WriteData(1, false, []byte("\x81\x85mask\x00"))
			d.s.WriteData(1, true, []byte("\x81\x02hi"))
			d.answers()
			d.c.WriteData(1, true, nil)
		}),
		turns("http/2: upgraded from http/1.1", "GET / HTTP/1.1\r\nHost: m\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
			"\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88"),
	}
}

// callScripts are calls of gRPC.
func callScripts() []script {
	return []script{
		http2Script("call", func(d *dialogue) {
			d.c.call(1, "ModelInfer")
			d.c.WriteData(1, true, message("\x0a\x01m"))
			d.s.ok(1)
			d.s.WriteData(1, false, message("\x0a\x01m"))
			d.s.status(1, "0")
			d.answers()
		}),
		http2Script("call answered by trailers only", func(d *dialogue) {
			d.c.call(1, "ModelInfer")
			d.c.WriteData(1, true, message("?"))
			d.s.headers(1, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "12", "grpc-message", "no%20such")
			d.answers()
		}),
		http2Script("call with messages in pieces", func(d *dialogue) {
			d.c.call(1, "ModelInfer")
			for _, b := range message("\x0a\x01m") {
				d.c.WriteData(1, false, []byte{b})
			}
			d.c.WriteData(1, true, nil)
			d.s.ok(1)
			d.s.WriteData(1, false, append(message(""), message("two")[:3]...))
			d.s.WriteData(1, false, message("two")[3:])
			d.s.status(1, "13")
			d.answers()
		}),
		http2Script("stream of the server", func(d *dialogue) {
			d.c.call(1, "Down")
			d.c.WriteData(1, true, message("go"))
			d.s.ok(1)
			for range 50 {
				d.s.WriteData(1, false, message("one of many"))
				d.answers()
			}
			d.s.status(1, "0")
			d.answers()
		}),
		http2Script("stream of the client", func(d *dialogue) {
			d.c.call(1, "Up")
			for range 50 {
				d.c.WriteData(1, false, message("one of many"))
				d.asks()
			}
			d.c.WriteData(1, true, nil)
			d.s.ok(1)
			d.s.WriteData(1, false, message("50"))
			d.s.status(1, "0")
			d.answers()
		}),
		http2Script("stream both ways", func(d *dialogue) {
			d.c.call(1, "ModelStreamInfer")
			d.c.call(3, "ModelStreamInfer")
			d.s.ok(3)
			d.s.ok(1)
			for i := range 20 {
				stream := uint32(1 + 2*(i%2))
				d.c.WriteData(stream, false, message("\x0a\x01m"))
				d.s.WriteData(stream, false, message("\x12\x03\x0a\x01m"))
				d.answers()
			}
			d.c.WriteRSTStream(1, http2.ErrCodeCancel)
			d.c.WriteData(3, true, nil)
			d.s.status(3, "0")
			d.answers()
		}),
		http2Script("stream that the server ends first", func(d *dialogue) {
			d.c.call(1, "ModelStreamInfer")
			d.c.WriteData(1, false, message("\x0a\x01m"))
			d.s.headers(1, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "8")
			d.s.WriteRSTStream(1, http2.ErrCodeNo)
			d.answers()
			d.c.WriteData(1, false, message("late"))
		}),
		http2Script("message that says it is longer than it is", func(d *dialogue) {
			d.c.call(1, "ModelInfer")
			d.c.WriteData(1, true, []byte("\x00\xff\xff\xff\xffshort"))
			d.s.ok(1)
			d.s.WriteData(1, false, []byte("\x01\x00\x00\x00\x04gzip"))
			d.s.status(1, "x")
			d.answers()
		}),
	}
}
