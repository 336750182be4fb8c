package main

import (
	"encoding/binary"
	"errors"

	"golang.org/x/net/http2/hpack"
)

// As little of HTTP/2 as the two ends need: one stream at a time from the load, any number at the upstream, header
// blocks that are made beforehand, and windows.

const (
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	frameData, frameHeaders, frameReset, frameSettings = 0, 1, 3, 4
	framePing, frameGoAway, frameWindow                = 6, 7, 8

	flagEnd, flagAck, flagHeaders = 1, 1, 4 // the end of a stream; of SETTINGS and PING; all headers

	settingTable  = 1
	settingWindow = 4
	firstTable    = 4096   // of header compression, until something else is said
	firstWindow   = 65_535 // of a connection and a stream, until something else is said
	largestWindow = 1<<31 - 1
	largestFrame  = 16_384 // that everybody takes
)

// frame is one that has come whole. The payload of DATA is not kept.
type frame struct {
	kind, flags byte
	stream      uint32
	length      int
	payload     []byte
}

// frames takes a side of a connection apart.
type frames struct {
	head [9]byte
	have int // bytes of head
	left int // bytes of the payload that are due
	frame
}

// take calls each with the frames that end in b.
func (f *frames) take(b []byte, each func(*frame) error) error {
	for {
		if f.have < len(f.head) {
			n := copy(f.head[f.have:], b)
			f.have, b = f.have+n, b[n:]
			if f.have < len(f.head) {
				return nil
			}
			f.length = int(binary.BigEndian.Uint32(f.head[:]) >> 8)
			f.kind, f.flags = f.head[3], f.head[4]
			f.stream = binary.BigEndian.Uint32(f.head[5:]) & largestWindow
			f.left, f.payload = f.length, f.payload[:0]
		}
		n := min(f.left, len(b))
		if f.kind != frameData {
			f.payload = append(f.payload, b[:n]...)
		}
		f.left, b = f.left-n, b[n:]
		if f.left > 0 {
			return nil
		}
		f.have = 0
		if err := each(&f.frame); err != nil {
			return err
		}
	}
}

func appendFrame(out []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	out = append(out, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), kind, flags)
	return append(binary.BigEndian.AppendUint32(out, stream), payload...)
}

func appendWindow(out []byte, stream uint32, more int) []byte {
	return appendFrame(out, frameWindow, 0, stream, binary.BigEndian.AppendUint32(nil, uint32(more)))
}

// appendSettings says how much may be sent on each stream.
func appendSettings(out []byte, window uint32) []byte {
	return appendFrame(out, frameSettings, 0, 0, binary.BigEndian.AppendUint32([]byte{0, settingWindow}, window))
}

// reply answers frames that have to be answered whoever they come from.
func reply(out []byte, f *frame) []byte {
	if f.flags&flagAck != 0 {
		return out
	}
	switch f.kind {
	case frameSettings:
		return appendFrame(out, frameSettings, flagAck, 0, nil)
	case framePing:
		return appendFrame(out, framePing, flagAck, 0, f.payload)
	}
	return out
}

// setting is what SETTINGS say of a setting, or what was so before.
func setting(f *frame, id uint16, before int) int {
	for p := f.payload; len(p) >= 6; p = p[6:] {
		if binary.BigEndian.Uint16(p) == id {
			before = int(binary.BigEndian.Uint32(p[2:]))
		}
	}
	return before
}

func increment(f *frame) int {
	if len(f.payload) != 4 {
		return 0
	}
	return int(binary.BigEndian.Uint32(f.payload) & largestWindow)
}

// block is a header block as a connection sends it first, and then, when the other end's table knows all of it. plain is
// for an end that has no table.
type block struct{ first, later, plain []byte }

// blocks makes those that a connection sends in turn. Each is names and values in turn.
func blocks(lists ...[]string) []block {
	var w appender
	encode := func(e *hpack.Encoder, fields []string) []byte {
		w = nil
		for i := 0; i < len(fields); i += 2 {
			e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return w
	}
	made := make([]block, len(lists))
	indexed := hpack.NewEncoder(&w)
	for i, fields := range lists {
		made[i].first = encode(indexed, fields)
		plain := hpack.NewEncoder(&w)
		plain.SetMaxDynamicTableSizeLimit(0)
		made[i].plain = encode(plain, fields)
	}
	for i, fields := range lists {
		made[i].later = encode(indexed, fields)
	}
	return made
}

// of is the block for an end with a table of that size.
func (k *block) of(first bool, table int) []byte {
	switch {
	case table < firstTable:
		return k.plain
	case first:
		return k.first
	}
	return k.later
}

type appender []byte

func (a *appender) Write(b []byte) (int, error) {
	*a = append(*a, b...)
	return len(b), nil
}

var errGone = errors.New("the other end goes away")
