package main

import (
	"encoding/binary"
	"fmt"
)

// prefixed is a message as gRPC sends it.
func prefixed(m []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

// client2 calls ModelInfer over HTTP/2.
type client2 struct {
	frames
	head     block
	id       uint32 // of the stream
	request  []byte // what is not sent yet
	answered bool   // a message has come
	table    int    // of the other end

	connection, initial, window int // what the connection may send, a new stream, and this one
}

func newClient2() *client2 {
	return &client2{connection: firstWindow, initial: firstWindow, table: firstTable, head: blocks([]string{
		":method", "POST", ":scheme", "http", ":path", "/inference.GRPCInferenceService/ModelInfer", ":authority", "m",
		"content-type", "application/grpc", "user-agent", "bench", "te", "trailers",
	})[0]}
}

// open lets the other end send two gigabytes of answers, so that no window has to be opened later.
func (c *client2) open(out []byte) []byte {
	out = appendSettings(append(out, preface...), 1<<20)
	return appendWindow(out, 0, largestWindow-firstWindow)
}

func (c *client2) ask(out, request []byte) []byte {
	first := c.id == 0
	if c.id += 2; first {
		c.id = 1
	}
	c.request, c.window, c.answered = request, c.initial, false
	return c.send(appendFrame(out, frameHeaders, flagHeaders, c.id, c.head.of(first, c.table)))
}

// send sends as much of the request as the windows allow.
func (c *client2) send(out []byte) []byte {
	for len(c.request) > 0 {
		n := min(len(c.request), c.connection, c.window, largestFrame)
		if n <= 0 {
			break
		}
		var flags byte
		if n == len(c.request) {
			flags = flagEnd
		}
		out = appendFrame(out, frameData, flags, c.id, c.request[:n])
		c.request, c.connection, c.window = c.request[n:], c.connection-n, c.window-n
	}
	return out
}

func (c *client2) take(b, out []byte) ([]byte, bool, error) {
	whole, failed := false, false
	err := c.frames.take(b, func(f *frame) error {
		out = reply(out, f)
		switch {
		case f.kind == frameSettings && f.flags&flagAck == 0:
			before := c.initial
			c.initial = setting(f, settingWindow, before)
			c.window += c.initial - before
			c.table = setting(f, settingTable, c.table)
		case f.kind == frameWindow && f.stream == 0:
			c.connection += increment(f)
		case f.kind == frameWindow && f.stream == c.id:
			c.window += increment(f)
		case f.kind == frameGoAway:
			return errGone
		case f.kind == frameReset && f.stream == c.id && !whole:
			return fmt.Errorf("stream %d was reset: % x", f.stream, f.payload)
		case f.kind == frameData:
			c.answered, whole = c.answered || f.length > 0, f.flags&flagEnd != 0
			failed = whole // an error page: gRPC ends with trailers
		case f.kind == frameHeaders:
			whole = f.flags&flagEnd != 0
		}
		return nil
	})
	if whole && (failed || !c.answered || len(c.request) > 0) {
		err = fmt.Errorf("stream %d failed: %.300q", c.id, b)
	}
	return c.send(out), whole, err
}

// answer2 is what the upstream answers.
type answer2 struct {
	begin, trailers block
	message         []byte
}

func newAnswer2() *answer2 {
	b := blocks([]string{":status", "200", "content-type", "application/grpc"}, []string{"grpc-status", "0"})
	return &answer2{b[0], b[1], prefixed(modelMessage("y", []int{1}, 6, table{1, []float64{7}}.raw()))}
}

// server2 answers calls over HTTP/2, in any number and order. Its answers are so short that no client's window ends.
type server2 struct {
	frames
	*answer2
	preface           int // bytes of it that are due
	taken             int // bytes of bodies since the connection's window was last opened
	table             int // of the client
	greeted, answered bool
}

func newServer2(a *answer2) *server2 {
	return &server2{answer2: a, preface: len(preface), table: firstTable}
}

// Windows of the upstream: a stream's holds any request, the connection's many, and is opened again in time.
const (
	streamWindow     = 4 << 20
	connectionWindow = 256 << 20
	openAfter        = 1 << 20
)

func (s *server2) take(b, out []byte, asked func(stream uint32)) ([]byte, error) {
	if !s.greeted {
		s.greeted = true
		out = appendWindow(appendSettings(out, streamWindow), 0, connectionWindow-firstWindow)
	}
	n := min(s.preface, len(b))
	s.preface -= n
	err := s.frames.take(b[n:], func(f *frame) error {
		out = reply(out, f)
		switch f.kind {
		case frameData:
			s.taken += f.length
		case frameSettings:
			s.table = setting(f, settingTable, s.table)
		}
		if (f.kind == frameData || f.kind == frameHeaders) && f.flags&flagEnd != 0 {
			asked(f.stream)
		}
		return nil
	})
	if s.taken >= openAfter {
		out, s.taken = appendWindow(out, 0, s.taken), 0
	}
	return out, err
}

func (s *server2) answer(out []byte, stream uint32) []byte {
	first := !s.answered
	s.answered = true
	out = appendFrame(out, frameHeaders, flagHeaders, stream, s.begin.of(first, s.table))
	out = appendFrame(out, frameData, 0, stream, s.message)
	return appendFrame(out, frameHeaders, flagHeaders|flagEnd, stream, s.trailers.of(first, s.table))
}
