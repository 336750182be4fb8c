package client_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/client"
)

// answering is a transport that answers everything alike.
type answering struct {
	status    int
	kind, tag string
	body      string
}

// RoundTrip implements http.RoundTripper.
func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Request: r,
		Header: http.Header{"Content-Type": {a.kind}, "Etag": {a.tag}}, Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

// Whatever a server answers, the client returns a version of the model that was
// asked for, or an error.
func FuzzAnswers(f *testing.F) {
	f.Add(200, "application/json", `W/"x"`, `{"created": "2026-01-01T00:00:00Z", "spec": {"model": "churn", "version": 1}, "status": {}}`)
	f.Add(200, "application/json", "", `{"items": [{"spec": {"model": "churn", "version": 1}}], "continue": "x"}`)
	f.Add(304, "", `"x"`, "")
	f.Add(422, "application/problem+json", "", `{"title": "x", "status": 422, "detail": "y", "reason": "invalid"}`)
	f.Fuzz(func(t *testing.T, status int, kind, tag, body string) {
		if status < 200 || status > 599 {
			t.Skip("no answer of HTTP")
		}
		c, err := client.New(client.Config{URL: "http://host", Tries: 1, HTTP: &http.Client{
			Transport:     answering{status, kind, tag, body},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time by what is remembered
			if v, err := c.Get(t.Context(), "churn", 1); err == nil && (v.Model != "churn" || v.Number != 1 || v.Spec.Model != "churn") {
				t.Errorf("got %+v", v)
			}
			vs, err := c.List(t.Context(), "churn")
			for _, v := range vs {
				if err == nil && v.Model != "churn" {
					t.Errorf("got %+v", v)
				}
			}
			_, _ = c.Profile(t.Context(), "churn", 1)
			_, _ = c.Models(t.Context())
		}
	})
}
