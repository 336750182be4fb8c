package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// chunk is whole records of text.
type chunk struct {
	data []byte
	line int64 // of its first byte, from 1
}

// chunks cuts text into whole records. end finds the end of the last whole record
// of some text that begins with one.
type chunks struct {
	r      io.Reader
	end    func([]byte) int
	limits limits
	line   int64
	carry  []byte
	eof    bool
	free   chan []byte // buffers to be used again
}

// next reads on. No data: this is the end.
func (c *chunks) next(ctx context.Context) (chunk, error) {
	buf := c.buffer()
	buf = append(buf[:0], c.carry...)
	for {
		if ctx.Err() != nil {
			return chunk{}, context.Cause(ctx)
		}
		var err error
		if buf, err = c.fill(buf); err != nil {
			return chunk{}, fmt.Errorf("after line %d: %w", c.line-1+int64(bytes.Count(buf, []byte{'\n'})), err)
		}
		end := len(buf)
		if !c.eof {
			end = c.end(buf)
		}
		if end > 0 || c.eof {
			c.carry = append(c.carry[:0], buf[end:]...)
			got := chunk{buf[:end], c.line}
			c.line += int64(bytes.Count(got.data, []byte{'\n'}))
			return got, nil
		}
		if len(buf) >= c.limits.record {
			return chunk{}, fmt.Errorf("line %d: a record of more than %d bytes; are quotes never closed?", c.line, c.limits.record)
		}
		buf = append(make([]byte, 0, min(2*len(buf), c.limits.record)), buf...)
	}
}

func (c *chunks) buffer() []byte {
	select {
	case b := <-c.free:
		return b
	default:
		return make([]byte, 0, c.limits.chunk)
	}
}

// fill reads until buf is full, or to the end.
func (c *chunks) fill(buf []byte) ([]byte, error) {
	for len(buf) < cap(buf) && !c.eof {
		n, err := c.r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			c.eof = true
		} else if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// done gives the buffer of a chunk back.
func (c *chunks) done(b []byte) {
	select {
	case c.free <- b[:0]:
	default:
	}
}

// linesEnd is the end of the last line.
func linesEnd(data []byte) int { return bytes.LastIndexByte(data, '\n') + 1 }
