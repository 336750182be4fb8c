package github

import (
	"net/http"
	"time"

	"github.com/leeway-dev/leeway/agent/retrain"
)

// Parsed is what the parsers make of an answer, for tests.
type Parsed struct {
	Runs, Dispatched int64
	States           []retrain.State
	Said             string
	Wait             time.Duration
}

// Parse reads an answer as all that it could be.
func Parse(b []byte, status int, retryAfter, remaining, reset, date, token string) Parsed {
	h := http.Header{}
	for k, v := range map[string]string{"Retry-After": retryAfter, "X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": reset, "Date": date} {
		h.Set(k, v)
	}
	p := Parsed{Dispatched: parseDispatched(b), Said: said(b, token)}
	p.Wait, _, _ = limited(status, h, p.Said, time.Unix(1_800_000_000, 0))
	if r, err := parseRun(b); err == nil {
		p.States = append(p.States, told("a/b", r).State)
	}
	if runs, err := parseRuns(b); err == nil {
		p.Runs = int64(len(runs))
		for _, r := range runs {
			_, _ = r.of("churn-0123456789"), r.untitled()
			if s := told("a/b", r); len(s.Message) > 200 {
				panic("a message of " + s.Message)
			}
		}
	}
	return p
}
