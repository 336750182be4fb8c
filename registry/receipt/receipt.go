// Package receipt is the name of one prediction, short enough for a header.
//
// The sidecar hands it out with the answer, whoever learns the truth sends it
// back with the label, and the controller reads from it which version predicted,
// and when. So nobody has to keep a table of predictions. It is a package of its
// own, without imports of Leeway, because both ends need it and neither may know
// the other.
//
// A receipt is
//
//	1.MODEL.VERSION.TIME.NONCE
//
// 1 is the format. In names, bytes other than A-Z, a-z, 0-9, "-" and "_" are
// written ~ and two hexadecimal digits. TIME is in milliseconds since 1970 and
// NONCE 64 random bits, both in base 36. All of it is unreserved in URLs and
// plain in headers. A receipt is not signed: who may send labels may name any
// prediction, with or without one.
package receipt

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MaxLen is how many bytes a receipt has at most.
const MaxLen = 120

// format is the first part; another one will be another format.
const format = "1"

// maxMillis is the year 5138: nine digits in base 36.
const maxMillis = 100_000_000_000_000

var (
	// ErrTooLong: the names don't fit into MaxLen bytes.
	ErrTooLong = errors.New("the receipt would be longer than 120 bytes")
	// ErrInvalid: this is no receipt.
	ErrInvalid = errors.New("not a receipt")
)

// Receipt names one prediction.
type Receipt struct {
	Model   string // not empty
	Version string // not empty
	// Time of the prediction, kept to the millisecond.
	Time time.Time
	// Nonce tells predictions of the same millisecond apart: 64 random bits.
	Nonce uint64
}

// Encode writes the receipt. It fails with ErrTooLong for long names, and with
// ErrInvalid for what no receipt can say.
func (r Receipt) Encode() (string, error) {
	b, err := r.Append(make([]byte, 0, MaxLen))
	if err != nil {
		return "", err
	}
	return string(b), nil
}

// Append is Encode for who writes many: it appends the receipt to b, and returns
// b as it was with an error.
func (r Receipt) Append(b []byte) ([]byte, error) {
	millis, start := r.Time.UnixMilli(), len(b)
	if r.Model == "" || r.Version == "" || millis < 0 || millis >= maxMillis {
		return b, fmt.Errorf("%w: it needs a model, a version, and a time since 1970", ErrInvalid)
	}
	b = append(b, format...)
	b = appendName(append(b, '.'), r.Model)
	b = appendName(append(b, '.'), r.Version)
	b = strconv.AppendInt(append(b, '.'), millis, 36)
	b = strconv.AppendUint(append(b, '.'), r.Nonce, 36)
	if len(b)-start > MaxLen {
		return b[:start], ErrTooLong
	}
	return b, nil
}

// Longest is how many bytes receipts of a model and version have at most, in any
// year. It fails as Encode does.
func Longest(model, version string) (int, error) {
	r := Receipt{Model: model, Version: version, Time: time.UnixMilli(maxMillis - 1), Nonce: math.MaxUint64}
	b, err := r.Append(nil)
	return len(b), err
}

// Parse reads a receipt. Each prediction has one spelling: what Encode would not
// have written is refused, with ErrInvalid.
func Parse(s string) (Receipt, error) {
	if len(s) > MaxLen {
		return Receipt{}, fmt.Errorf("%w: it has %d bytes, at most %d are possible", ErrInvalid, len(s), MaxLen)
	}
	parts := strings.Split(s, ".")
	if len(parts) != 5 || parts[0] != format {
		return Receipt{}, fmt.Errorf("%w: want 1.MODEL.VERSION.TIME.NONCE", ErrInvalid)
	}
	millis, err := strconv.ParseInt(parts[3], 36, 64)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: the time is not a number", ErrInvalid)
	}
	nonce, err := strconv.ParseUint(parts[4], 36, 64)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: the nonce is not a number", ErrInvalid)
	}
	r := Receipt{Model: name(parts[1]), Version: name(parts[2]), Time: time.UnixMilli(millis).UTC(), Nonce: nonce}
	if again, err := r.Encode(); err != nil || again != s {
		return Receipt{}, fmt.Errorf("%w: it is not written as receipts are", ErrInvalid)
	}
	return r, nil
}

const hexDigits = "0123456789abcdef"

func appendName(b []byte, name string) []byte {
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '~', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// name undoes appendName. What it can't read it leaves: that will not be written
// the same again.
func name(s string) string {
	if !strings.Contains(s, "~") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '~' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(c))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
