package answer_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/leeway-dev/leeway/agent/retrain/github/answer"
)

// Whatever a server says: what is passed on is short, readable and without the
// token, waits have a bound, and runs have a number.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		`{"id": 30433642, "name": "Build", "display_title": "churn-0123456789", "status": "queued", "conclusion": null}`,
		`{"total_count": 1, "workflow_runs": [{"id": 1, "display_title": "x", "status": "completed", "conclusion": "success"}]}`,
		`{"workflow_run_id": 30433642, "run_url": "https://api.github.com/x", "html_url": "https://github.com/x"}`,
		`{"message": "You have exceeded a secondary rate limit. Please wait.", "status": "403"}`,
		`{"message": "a\u0000b\n\u202etxt ghp_token"}`, `{"workflow_runs": null}`, `[]`, ``, `{"id": -1, "status": "x"}`, `{"id": 1e400}`,
	} {
		f.Add([]byte(s), 403, "60", "0", "1800000060", "Mon, 02 Jan 2006 15:04:05 GMT")
		f.Add([]byte(s), 429, "Mon, 02 Jan 2006 15:04:05 GMT", "", "", "")
	}
	f.Fuzz(func(t *testing.T, b []byte, status int, retryAfter, remaining, reset, date string) {
		const token = "ghp_token"
		h := http.Header{}
		for k, v := range map[string]string{"Retry-After": retryAfter, "X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": reset, "Date": date} {
			h.Set(k, v)
		}
		said := answer.Said(b, token)
		wait, _, ok := answer.Limited(status, h, said, time.Unix(1_800_000_000, 0))
		if wait < 0 || wait > answer.MostWait || ok != (wait > 0) || ok && status != 403 && status != 429 {
			t.Errorf("waits %s, %v, for %d", wait, ok, status)
		}
		if len(said) > 310 || !utf8.ValidString(said) || strings.ContainsFunc(said, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("says %q", said)
		}
		if strings.Contains(said, token) {
			t.Errorf("says the token: %q", said)
		}
		if n := answer.ParseDispatched(b); n < 0 {
			t.Errorf("run %d", n)
		}
		runs, _ := answer.ParseRuns(b)
		if r, err := answer.ParseRun(b); err == nil {
			runs = append(runs, r)
		}
		for _, r := range runs {
			if r.ID <= 0 || r.Status == "" || len(r.Words()) > 100 || r.Succeeded() && !r.Completed() {
				t.Errorf("%+v: %s", r, r.Words())
			}
			if r.Of("churn-0123456789") && r.Untitled() {
				t.Errorf("%q has the name of a decision, and none", r.Title)
			}
		}
	})
}
