package bucket

import (
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// What is read of an answer that the SDK takes into memory whole. A listing of a
// thousand names of a thousand bytes is smaller, escapes and all.
const (
	maxListing = 8 << 20
	maxProblem = 1 << 20
)

// bounded bounds answers that are no object's bytes. Those are read by whoever
// asked for them.
type bounded struct{ s3.HTTPClient }

// Do implements s3.HTTPClient.
func (b bounded) Do(r *http.Request) (*http.Response, error) {
	answer, err := b.HTTPClient.Do(r)
	if err != nil {
		return answer, err
	}
	switch {
	case answer.StatusCode >= http.StatusMultipleChoices:
		answer.Body = &limited{answer.Body, maxProblem}
	case r.Method == http.MethodGet && r.URL.Query().Has("list-type"):
		answer.Body = &limited{answer.Body, maxListing}
	}
	return answer, nil
}

// limited fails beyond a number of bytes, which a listing that was cut must.
type limited struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, errTooLong
	}
	p = p[:min(int64(len(p)), l.left+1)]
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

var errTooLong = fmt.Errorf("the S3 server's answer is too long: a listing may have %d bytes, an error %d", maxListing, maxProblem)
