// Package unpack undoes the Content-Encoding of bodies that were captured: gzip, deflate and zstd.
//
// Bodies come from anybody, and a small one may stand for a large one. So the size of what comes out is bounded, and
// what turns out to be larger costs no more than the first Step bytes of it: from there on bytes are only counted, and
// if they are few enough, the body is unpacked again into room that is just enough.
package unpack

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Coding is a content coding.
type Coding uint8

// The codings.
const (
	Identity Coding = iota
	Gzip
	Deflate
	Zstd
	Unknown
)

// Of reads a Content-Encoding. Several codings, one over the other, are unknown.
func Of(name []byte) Coding {
	switch strings.ToLower(string(name)) {
	case "", "identity":
		return Identity
	case "gzip", "x-gzip":
		return Gzip
	case "deflate":
		return Deflate
	case "zstd":
		return Zstd
	}
	return Unknown
}

var (
	// ErrTooLarge: more than the limit came out.
	ErrTooLarge = errors.New("unpacked body is too large")
	// ErrNoRoom: there was no memory for what would come out.
	ErrNoRoom = errors.New("no room for the unpacked body")
	// ErrBroken: the body is not what its coding says.
	ErrBroken = errors.New("broken encoding")
)

// Step is how much is unpacked before its size is known.
const Step = 256 << 10

// pauseEvery is how many bytes come out between two pauses.
const pauseEvery = 8 << 10

// Room lends buffers. Grow returns one that holds buf's bytes and has room for n, or false; then buf is still the
// caller's. Release takes one back.
type Room interface {
	Grow(buf []byte, n int) ([]byte, bool)
	Release(buf []byte)
}

// Unpacker unpacks bodies. It keeps decoders between them and is not safe for concurrent use.
type Unpacker struct {
	// Pause, if set, is called now and then, so that the caller can do something else.
	Pause func()

	gzip  *gzip.Reader
	zlib  io.ReadCloser
	flate io.ReadCloser
	zstd  *zstd.Decoder
	waste [pauseEvery]byte
}

// Unpack returns what a body stands for, at most limit bytes, in a buffer of room.
func (u *Unpacker) Unpack(c Coding, body []byte, limit int, room Room) ([]byte, error) {
	if c == Zstd {
		return u.unpackZstd(body, limit, room)
	}
	for keep := min(Step, limit); ; {
		r := bytes.NewReader(body)
		decoder, err := u.decoder(c, r, body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		out, n, err := u.read(decoder, limit, keep, room)
		if err == nil && r.Len() > 0 {
			err = fmt.Errorf("%w: %d bytes behind its end", ErrBroken, r.Len())
		}
		if err == nil && n == len(out) {
			return out, nil
		}
		room.Release(out)
		if err != nil {
			return nil, err
		}
		keep = n
	}
}

// decoder is a reader of the decoded body.
func (u *Unpacker) decoder(c Coding, r *bytes.Reader, body []byte) (_ io.Reader, err error) {
	switch {
	case c == Gzip && u.gzip == nil:
		u.gzip, err = gzip.NewReader(r)
		return u.gzip, err
	case c == Gzip:
		return u.gzip, u.gzip.Reset(r)
	case c != Deflate:
		return nil, errors.New("unknown coding")
	case isZlib(body) && u.zlib == nil:
		u.zlib, err = zlib.NewReader(r)
		return u.zlib, err
	case isZlib(body):
		return u.zlib, u.zlib.(zlib.Resetter).Reset(r, nil)
	case u.flate == nil:
		u.flate = flate.NewReader(r)
		return u.flate, nil
	}
	return u.flate, u.flate.(flate.Resetter).Reset(r, nil)
}

// isZlib tells the two things that are called deflate apart: zlib's header (RFC 1950), as is right, and none.
func isZlib(body []byte) bool {
	return len(body) >= 2 && body[0]&0x0f == 8 && (uint(body[0])<<8|uint(body[1]))%31 == 0
}

// read keeps the first bytes of what decoder gives, and counts all.
func (u *Unpacker) read(decoder io.Reader, limit, keep int, room Room) (out []byte, n int, err error) {
	for n <= limit {
		target := u.waste[:]
		if n < keep {
			if n == cap(out) {
				larger, ok := room.Grow(out, min(max(2*n, pauseEvery), keep))
				if !ok {
					return out, n, ErrNoRoom
				}
				out = larger
			}
			target = out[n:min(cap(out), keep, n+pauseEvery)]
		}
		k, err := decoder.Read(target)
		if n < keep {
			out = out[:n+k]
		}
		n += k
		if err != nil && err != io.EOF {
			return out, n, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		if err == io.EOF && n <= limit {
			return out, n, nil
		}
		u.pause()
	}
	return out, n, ErrTooLarge
}

func (u *Unpacker) pause() {
	if u.Pause != nil {
		u.Pause()
	}
}
