package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

// Every refusal has one form, and says which field it is about.
func TestProblems(t *testing.T) {
	s := start(t, func(c *api.Config) { c.MaxBody = 2000 })
	const (
		one   = versionsPath + "/1"
		match = "/leeway/v1/models/churn/match"
		small = `{"artifact": {"uri": "s3://models/churn/1"}`
	)
	for _, tt := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		reason                   api.Reason
		field, says              string
	}{
		{"another path", "GET", "/leeway/v1/nothing", "", nil, 404, api.NotFound, "", "openapi.json"},
		{"another method", "DELETE", one, "", nil, 405, api.MethodNotAllowed, "", "DELETE is not one of GET"},
		{"no version", "GET", one, "", nil, 404, api.NotFound, "", "version 1 of churn"},
		{"no version's profile", "GET", one + "/profile", "", nil, 404, api.NotFound, "", "version 1 of churn"},
		{"a version that is none", "GET", versionsPath + "/one", "", nil, 422, api.Invalid, "", `"one" is not a whole number`},
		{"a model that is none", "GET", "/leeway/v1/models/Churn!/versions", "", nil, 422, api.Invalid, "", `model name "Churn!"`},
		{"a namespace that is a path", "GET", versionsPath + "?namespace=..%2Fother", "", nil, 422, api.Invalid, "namespace", `"../other" is not one`},
		{"a parameter that is none", "GET", versionsPath + "?limt=3", "", nil, 422, api.Invalid, "limt", "no query parameter"},
		{"a parameter twice", "GET", versionsPath + "?limit=3&limit=4", "", nil, 422, api.Invalid, "limit", "2 times"},
		{"a limit of nothing", "GET", versionsPath + "?limit=0", "", nil, 422, api.Invalid, "limit", "from 1 to 1000"},
		{"a limit too high", "GET", "/leeway/v1/models?limit=1001", "", nil, 422, api.Invalid, "limit", "from 1 to 1000"},
		{"a token of one's own", "GET", versionsPath + "?continue=x%21", "", nil, 422, api.Invalid, "continue", "begin without"},
		{"a token of another list", "GET", versionsPath + "?continue=Y2h1cm4", "", nil, 422, api.Invalid, "continue", "begin without"},
		{"a lifecycle that is none", "GET", versionsPath + "?lifecycle=live,dead", "", nil, 422, api.Invalid, "lifecycle", `"dead" is not one of`},
		{"a body of text", "POST", versionsPath, "x", []string{"Content-Type", "text/plain"}, 415, api.UnsupportedMedia, "", "send application/json"},
		{"a body that says nothing", "POST", versionsPath, "x", nil, 415, api.UnsupportedMedia, "", "send application/json"},
		{"a form without a boundary", "POST", versionsPath, "x", []string{"Content-Type", "multipart/form-data"}, 415, api.UnsupportedMedia, "", "send application/json"},
		{"a form that breaks off", "POST", versionsPath, "--x\r\nContent-Disposition: form-data; name=spec\r\n\r\n{}", []string{"Content-Type", "multipart/form-data; boundary=x"}, 400, api.BadRequest, "", "can't be read"},
		{"brotli", "POST", versionsPath, "x", []string{"Content-Encoding", "br"}, 415, api.UnsupportedMedia, "", "gzip, or none"},
		{"gzip that isn't", "POST", versionsPath, "x", []string{"Content-Encoding", "gzip", "Content-Type", "application/json"}, 400, api.BadRequest, "", "can't be read"},
		{"no JSON", "POST", versionsPath, "{\n\n\"a\": x}", asJSON(), 400, api.BadRequest, "", "line 3, byte 6"},
		{"nothing", "POST", versionsPath, "", asJSON(), 400, api.BadRequest, "", "breaks off after 0 bytes"},
		{"half", "POST", versionsPath, small, asJSON(), 400, api.BadRequest, "", "spec: "},
		{"more", "POST", versionsPath, small + "} {}", asJSON(), 400, api.BadRequest, "", "there is more after it"},
		{"a field that is none", "POST", versionsPath, `{"artefact": {}}`, asJSON(), 422, api.Invalid, "artefact", "is not known"},
		{"a field of another type", "POST", versionsPath, `{"dataset": {"rows": "many"}}`, asJSON(), 422, api.Invalid, "dataset.rows", "want int64, not string"},
		{"another model", "POST", versionsPath, `{"model": "fraud", "artifact": {"uri": "x"}}`, asJSON(), 422, api.Invalid, "model", "the path says churn"},
		{"a number", "POST", versionsPath, small + `, "version": 3}`, asJSON(), 422, api.Invalid, "version", "gives the number"},
		{"no artifact", "POST", versionsPath, `{}`, asJSON(), 422, api.Invalid, "artifact", "the URI is empty"},
		{"a password", "POST", versionsPath, `{"artifact": {"uri": "https://me:secret@host/x"}}`, asJSON(), 422, api.Invalid, "artifact", "holds a password"},
		{"a metric that is none", "POST", versionsPath, small + `, "metrics": {"mae": "low"}}`, asJSON(), 422, api.Invalid, "metrics", `mae="low"`},
		{"a profile with another digest", "POST", versionsPath, small + `, "profile": {"digest": "sha256:0", "gzip": ""}}`, asJSON(), 422, api.Invalid, "profile", "profile: "},
		{"too large", "POST", versionsPath, strings.Repeat(" ", 2001), asJSON(), 413, api.TooLarge, "", "more than 2000 bytes"},
		{"too large when unpacked", "POST", versionsPath, string(zipped(t, bytes.Repeat([]byte(" "), 2001))), asJSON("Content-Encoding", "gzip"), 413, api.TooLarge, "", "more than 2000 bytes"},
		{"too large a live profile", "POST", match, strings.Repeat(" ", 2001), nil, 413, api.TooLarge, "", "more than 2000 bytes"},
		{"a live profile that is none", "POST", match, "{}", nil, 422, api.Invalid, "", "not a valid profile"},
		{"a tolerance that is none", "POST", match + "?tolerance=2", "{}", nil, 422, api.Invalid, "tolerance", `"2" is neither`},
		{"a version in service that is none", "POST", match + "?live=x", "{}", nil, 422, api.Invalid, "live", `"x" is not a whole number`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, b := s.do(t, tt.method, tt.path, []byte(tt.body), tt.headers...)
			p := decode[api.Problem](t, b)
			if w.StatusCode != tt.status || p.Status != tt.status || p.Reason != tt.reason || p.Field != tt.field || !strings.Contains(p.Detail, tt.says) {
				t.Errorf("got %s: %s\nwant %d %s, field %q, that says %q", w.Status, b, tt.status, tt.reason, tt.field, tt.says)
			}
			if w.Header.Get("Content-Type") != api.MediaType || p.Title != http.StatusText(tt.status) {
				t.Errorf("got %v, %s", w.Header, b)
			}
			if bytes.Contains(b, []byte("secret")) {
				t.Errorf("the answer tells the password: %s", b)
			}
		})
	}
	if got, err := s.store("").Models(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("what was refused is registered: %v, %v", got, err)
	}
	if w, _ := s.do(t, "PUT", versionsPath, nil); w.Header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %v", w.Header)
	}
}

func asJSON(more ...string) []string {
	return append([]string{"Content-Type", "application/json"}, more...)
}

// Every path asks who it is before anything else is done, and the body is not
// read before.
func TestRefusedByTheAuthority(t *testing.T) {
	s := start(t, nil)
	s.register(t, "ml", "churn", 1)
	for _, tt := range []struct {
		deny   error
		status int
		reason api.Reason
		header string
	}{
		{fmt.Errorf("who? %w", api.ErrUnauthenticated), 401, api.Unauthenticated, "WWW-Authenticate"},
		{fmt.Errorf("bob may not: %w", registry.ErrForbidden), 403, api.Forbidden, ""},
		{fmt.Errorf("the API server is away: %w", registry.ErrUnreachable), 503, api.Unavailable, "Retry-After"},
	} {
		s.set(func() { s.deny, s.asked = tt.deny, nil })
		for route := range api.Routes() {
			method, path, _ := strings.Cut(route, " ")
			if strings.HasSuffix(path, "openapi.json") {
				continue
			}
			path = strings.NewReplacer("{model}", "churn", "{version}", "1").Replace(path)
			w, b := s.do(t, method, path+"?namespace=ml", []byte("not read"), asJSON()...)
			if p := decode[api.Problem](t, b); w.StatusCode != tt.status || p.Reason != tt.reason || !strings.Contains(p.Detail, tt.deny.Error()) {
				t.Errorf("%s: %s: %s", route, w.Status, b)
			}
			if tt.header != "" && w.Header.Get(tt.header) == "" {
				t.Errorf("%s: no %s in %v", route, tt.header, w.Header)
			}
		}
		if want := len(api.Routes()) - 1; len(s.asked) != want {
			t.Errorf("asked %d times, want %d: %v", len(s.asked), want, s.asked)
		}
	}
}

func TestFailuresAreReported(t *testing.T) {
	s := start(t, nil)
	for broken, status := range map[error]int{
		errors.New("disk on fire"):                                 500,
		fmt.Errorf("bucket: %w", registry.ErrUnreachable):          503,
		fmt.Errorf("the server: %w", registry.ErrForbidden):        403,
		fmt.Errorf("somebody was first: %w", registry.ErrConflict): 409,
		fmt.Errorf("a profile: %w", registry.ErrTooLarge):          413,
	} {
		s.set(func() { s.broken, s.failed = broken, nil })
		w, b := s.post(t, versionsPath, mustJSON(t, registrytest.Spec("churn")))
		if p := decode[api.Problem](t, b); w.StatusCode != status || p.Detail != broken.Error() {
			t.Errorf("%v: %s: %s", broken, w.Status, b)
		}
		if told := len(s.failed) == 1; told != (status >= 500) {
			t.Errorf("%v: reported: %v", broken, s.failed)
		}
	}
}
