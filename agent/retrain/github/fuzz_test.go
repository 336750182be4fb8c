package github_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/leeway-dev/leeway/agent/retrain/github"
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
		p := github.Parse(b, status, retryAfter, remaining, reset, date, token)
		if p.Wait < 0 || p.Wait > 65*time.Minute {
			t.Errorf("waits %s", p.Wait)
		}
		if p.Wait > 0 && status != 403 && status != 429 {
			t.Errorf("waits %s for %d", p.Wait, status)
		}
		if len(p.Said) > 310 || !utf8.ValidString(p.Said) || strings.ContainsFunc(p.Said, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("says %q", p.Said)
		}
		if strings.Contains(p.Said, token) {
			t.Errorf("says the token: %q", p.Said)
		}
		if p.Dispatched < 0 {
			t.Errorf("run %d", p.Dispatched)
		}
	})
}
