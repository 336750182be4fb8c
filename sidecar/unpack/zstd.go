package unpack

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// unpackZstd decodes straight into the buffer, which is also the decoder's window: whatever window a body declares, it
// costs no memory of its own. Most bodies say how large they are.
func (u *Unpacker) unpackZstd(body []byte, limit int, room Room) ([]byte, error) {
	if u.zstd == nil {
		var err error
		u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
	}
	var h zstd.Header
	if h.Decode(body) == nil && h.HasFCS && h.FrameContentSize > 0 {
		if h.FrameContentSize > uint64(limit) {
			return nil, ErrTooLarge
		}
		size := int(h.FrameContentSize)
		if out, _, err := u.decodeZstd(body, size, size, room); err == nil || errors.Is(err, ErrNoRoom) {
			return out, err
		}
	}
	for size := min(Step, limit); ; size = limit {
		// With room for a whole block behind it, what breaks off below the size is broken, and not only too large.
		out, n, err := u.decodeZstd(body, size+zstdBlock, limit, room)
		switch {
		case err == nil || errors.Is(err, ErrNoRoom):
			return out, err
		case n > limit:
			return nil, ErrTooLarge
		case n <= size:
			return nil, err
		case size == limit:
			return nil, ErrTooLarge
		}
	}
}

// zstdBlock is the most that a block stands for (RFC 8878, 3.1.1.2.4).
const zstdBlock = 128 << 10

// decodeZstd decodes into a buffer of a size. It returns how many bytes came out, also where they are not kept.
func (u *Unpacker) decodeZstd(body []byte, size, limit int, room Room) (_ []byte, n int, err error) {
	buf, ok := room.Grow(nil, size)
	if !ok {
		return nil, 0, ErrNoRoom
	}
	out, err := u.zstd.DecodeAll(body, buf[:0:size])
	u.pause()
	if n = len(out); err == nil && n <= limit {
		return buf[:n], n, nil
	}
	room.Release(buf)
	return nil, n, fmt.Errorf("%w: %w", ErrBroken, err)
}
