package feedback

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/leeway-dev/leeway/agent/auth"
)

const (
	// MaxRows bounds one request.
	MaxRows = 100_000
	// maxBody bounds the bytes that are received, maxText those after
	// decompression.
	maxBody = 16 << 20
	maxText = 32 << 20
)

// What is wrong with a request as a whole.
var (
	errTooMany  = fmt.Errorf("more than %d rows; send them in several requests", MaxRows)
	errTooLong  = fmt.Errorf("the body is larger than %d bytes after decompression; send several", maxText)
	errEncoding = errors.New("a body is sent as it is or with Content-Encoding: gzip")
	errEmpty    = errors.New("the body is empty; send rows of {namespace, model, version, predicted, actual}")
)

// readRows hands the rows of a request's body to t. An error is one of the
// request, after which nothing of it may count.
func readRows(w http.ResponseWriter, r *http.Request, t *tally) error {
	text, err := plainText(r.Header.Get("Content-Encoding"), http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return err
	}
	in := bufio.NewReader(&limited{text, maxText})
	outcomes := r.URL.Query().Get("outcomes")
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "text/csv" {
		return readCSV(in, outcomes, t.take)
	}
	if outcomes != "" {
		return errors.New("outcomes= is for CSV: JSON tells numbers from classes")
	}
	return readJSON(in, func(raw []byte) error { return t.take(parseRow(raw)) })
}

func plainText(encoding string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return r, nil
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("the body is not gzip: %w", err)
		}
		return z, nil
	}
	return nil, errEncoding
}

// limited fails, other than io.LimitReader, where a body goes on: half of one
// must not pass for all of it.
type limited struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (l *limited) Read(b []byte) (int, error) {
	if l.left < 0 {
		return 0, errTooLong
	}
	if int64(len(b)) > l.left+1 {
		b = b[:l.left+1]
	}
	n, err := l.r.Read(b)
	if l.left -= int64(n); l.left < 0 {
		return n, errTooLong
	}
	return n, err
}

// refuseBody answers a request of which nothing counts.
func refuseBody(w http.ResponseWriter, err error) {
	code := http.StatusBadRequest
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		code, err = http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", maxBody)
	case errors.Is(err, errTooMany), errors.Is(err, errTooLong):
		code = http.StatusRequestEntityTooLarge
	case errors.Is(err, errEncoding):
		code = http.StatusUnsupportedMediaType
	case errors.Is(err, auth.ErrUnavailable):
		code = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), code)
}
