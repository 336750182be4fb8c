// Package answer reads what GitHub's REST API says: runs of workflows, what became
// of a dispatch, errors, and for how long to wait. It has no I/O and imports nothing
// of Kubernetes, so that it can be fuzzed.
package answer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Run is what counts of a workflow run. https://docs.github.com/rest/actions/workflow-runs
type Run struct {
	ID int64 `json:"id"`
	// Title is what run-name made of it; without a run-name, the workflow's name.
	Title      string `json:"display_title"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
}

// ParseRun reads the answer to GET …/actions/runs/ID.
func ParseRun(b []byte) (Run, error) {
	var r Run
	if err := json.Unmarshal(b, &r); err != nil {
		return Run{}, fmt.Errorf("not a workflow run: %w", err)
	}
	return r, r.check()
}

func (r Run) check() error {
	if r.ID <= 0 {
		return fmt.Errorf("a workflow run with the id %d", r.ID)
	}
	if r.Status == "" {
		return fmt.Errorf("workflow run %d has no status", r.ID)
	}
	return nil
}

// ParseRuns reads a page of GET …/actions/workflows/WORKFLOW/runs.
func ParseRuns(b []byte) ([]Run, error) {
	var page struct {
		Runs *[]Run `json:"workflow_runs"`
	}
	if err := json.Unmarshal(b, &page); err != nil {
		return nil, fmt.Errorf("not a list of workflow runs: %w", err)
	}
	if page.Runs == nil {
		return nil, fmt.Errorf("not a list of workflow runs: it has no workflow_runs")
	}
	for _, r := range *page.Runs {
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	return *page.Runs, nil
}

// ParseDispatched reads the number of the run out of the answer to a dispatch, 0
// where it is not there: GitHub has accepted it all the same.
func ParseDispatched(b []byte) int64 {
	var d struct {
		Run int64 `json:"workflow_run_id"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(b), &d); err != nil || d.Run < 0 {
		return 0
	}
	return d.Run
}

// Of says whether the run is the decision's: its title has the name as a word.
func (r Run) Of(decision string) bool { return slices.Contains(r.words(), decision) }

// Untitled says that the run has the name of no decision at all: it was started by
// hand, or the workflow does not put the name into its title.
func (r Run) Untitled() bool { return !slices.ContainsFunc(r.words(), decisionName.MatchString) }

var decisionName = regexp.MustCompile(`-[0-9a-f]{10}$`)

// words are the runs of what names of decisions are made of.
func (r Run) words() []string {
	return strings.FieldsFunc(r.Title, func(c rune) bool { return c != '-' && !unicode.IsLetter(c) && !unicode.IsDigit(c) })
}

// Completed says that the run is at its end.
func (r Run) Completed() bool { return r.Status == "completed" }

// Succeeded says that it ended well. Its other ends are failure, cancelled,
// timed_out, skipped and more.
func (r Run) Succeeded() bool { return r.Completed() && r.Conclusion == "success" }

const (
	maxSaid = 300 // of what GitHub says is passed on, in bytes
	maxWord = 40
)

// Said is what GitHub says in an error, for a person to read, without the token.
func Said(b []byte, token string) string {
	var m struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return ""
	}
	return readable(strings.ReplaceAll(m.Message, token, "…"), maxSaid)
}

// Words says in words where the run stands.
func (r Run) Words() string {
	if r.Completed() {
		return "completed: " + readable(r.Conclusion, maxWord)
	}
	return readable(r.Status, maxWord)
}

// readable makes one line of at most n bytes of what a server said.
func readable(s string, n int) string {
	s = strings.ToValidUTF8(s[:min(len(s), 4*n)], "")
	s = strings.Join(strings.FieldsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }), " ")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

const (
	leastWait = time.Minute
	// MostWait is a little more than the hour after which a primary limit ends.
	MostWait = 65 * time.Minute
)

// Limited says for how long GitHub asks to wait, if that is what an answer is
// about, and whether GitHub said so itself.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func Limited(status int, h http.Header, message string, now time.Time) (wait time.Duration, told, ok bool) {
	if status != http.StatusTooManyRequests && status != http.StatusForbidden {
		return 0, false, false
	}
	if s := h.Get("Retry-After"); s != "" {
		if n, err := strconv.ParseInt(s, 10, 32); err == nil {
			return bound(time.Duration(n) * time.Second), true, true
		}
		if at, err := http.ParseTime(s); err == nil {
			return bound(at.Sub(clock(h, now))), true, true
		}
	}
	if h.Get("X-RateLimit-Remaining") == "0" {
		if n, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return bound(time.Unix(n, 0).Sub(clock(h, now))), true, true
		}
		return leastWait, false, true
	}
	if status == http.StatusTooManyRequests || strings.Contains(strings.ToLower(message), "rate limit") {
		return leastWait, false, true
	}
	return 0, false, false
}

// clock is the server's, by which it says until when to wait.
func clock(h http.Header, now time.Time) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	return now
}

func bound(d time.Duration) time.Duration { return min(max(d, time.Second), MostWait) }
