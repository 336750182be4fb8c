package s3_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	aws "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	"github.com/leeway-dev/leeway/registry/s3"
)

// canned answers each listing alike, and each object.
type canned struct {
	status          int
	listing, object func() io.Reader
	asked           *atomic.Int64
}

func text(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }

func (c canned) Do(r *http.Request) (*http.Response, error) {
	c.asked.Add(1)
	body := c.object
	if r.URL.Query().Has("list-type") {
		body = c.listing
	}
	return &http.Response{StatusCode: c.status, Request: r, Header: http.Header{"Content-Type": {"application/xml"}}, Body: io.NopCloser(body())}, nil
}

// cannedStore is one that has remembered nothing, and asks c.
func cannedStore(t testing.TB, c aws.HTTPClient) *s3.Store {
	t.Helper()
	s, err := s3.New("s3://models/registry", bucket.Options{
		Endpoint: "http://s3.example", Wrap: func(aws.HTTPClient) aws.HTTPClient { return c },
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	listed = `<ListBucketResult><IsTruncated>%t</IsTruncated><NextContinuationToken>x</NextContinuationToken>` +
		`<Contents><Key>registry/churn/versions/0000000001.json</Key><Size>9</Size><ETag>"a"</ETag></Contents>` +
		`<CommonPrefixes><Prefix>registry/churn/</Prefix></CommonPrefixes></ListBucketResult>`
	aVersion = `{"created":"2026-01-01T00:00:00Z","writer":"w","spec":{"model":"churn","version":1,"artifact":{"uri":"s3://a/b"}}}`
)

// Whatever a server answers, there are a few requests, and versions of the model
// that was asked for, or an error.
func FuzzAnswers(f *testing.F) {
	setenv(f)
	for _, truncated := range []string{"true", "false"} {
		f.Add(200, strings.ReplaceAll(listed, "%t", truncated), aVersion)
		f.Add(200, strings.ReplaceAll(strings.ReplaceAll(listed, "%t", truncated), "0000000001.json", "x"), aVersion)
	}
	f.Add(200, strings.ReplaceAll(strings.ReplaceAll(listed, "%t", "false"), "versions/0000000001", "lifecycle/0000000001-000001"),
		`{"time":"2026-01-01T00:00:00Z","from":"registered","to":"live","writer":"w"}`)
	f.Add(200, `<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`, "")
	f.Add(404, `<Error><Code>NoSuchBucket</Code></Error>`, `<Error><Code>NoSuchKey</Code></Error>`)
	var now canned
	client, err := bucket.NewClient(f.Context(), bucket.Options{Endpoint: "http://s3.example", Wrap: func(aws.HTTPClient) aws.HTTPClient { return &now }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, listing, object string) {
		if status < 200 || status > 599 || status >= 500 || status == 429 {
			t.Skip("no answer, or one that is asked for again, with a pause")
		}
		asked := new(atomic.Int64)
		now = canned{status, text(listing), text(object), asked}
		s := cannedStore(t, nil)
		s.Use(client)
		vs, err := s.List(t.Context(), "churn")
		last := int64(0)
		for _, v := range vs {
			if err != nil || v.Model != "churn" || v.Number <= last || v.Spec.Version != v.Number || v.Lifecycle == "" {
				t.Errorf("got %+v behind %d, %v", v, last, err)
			}
			last = v.Number
		}
		if v, err := s.Get(t.Context(), "churn", 1); err == nil && (v.Model != "churn" || v.Number != 1) {
			t.Errorf("got %+v", v)
		}
		names, err := s.Models(t.Context())
		for _, name := range names {
			if err != nil || registry.ValidateModel(name) != nil {
				t.Errorf("model %q, %v", name, err)
			}
		}
		_, _ = s.Deletions(t.Context(), "churn")
		if n := asked.Load(); n > 64+int64(len(listing)) { // an object in a listing takes more than a byte
			t.Errorf("%d requests", n)
		}
	})
}

// A listing or an error without end is given up.
func TestEndlessAnswers(t *testing.T) {
	setenv(t)
	for _, status := range []int{200, 400} {
		read := &endless{}
		begun := func() io.Reader { return io.MultiReader(strings.NewReader("<ListBucketResult>"), read) }
		_, err := cannedStore(t, canned{status, begun, text(""), new(atomic.Int64)}).List(t.Context(), "churn")
		if err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%d: got %v", status, err)
		}
		if read.bytes > 64<<20 {
			t.Errorf("%d: %d bytes were read", status, read.bytes)
		}
	}
}

type endless struct{ bytes int }

func (e *endless) Read(p []byte) (int, error) {
	if e.bytes > 256<<20 {
		return 0, io.EOF
	}
	const object = "<Contents></Contents>"
	n := copy(p, object[e.bytes%len(object):])
	e.bytes += n
	return n, nil
}
