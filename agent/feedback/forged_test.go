package feedback_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Labels that are forged are refused, each is counted by why, and none counts.
func TestForgedLabels(t *testing.T) {
	row := func(parts string) string { return `{"predicted":10,"actual":90,` + parts + `}` }
	for _, c := range []struct{ name, row, reason string }{
		{"of a namespace that is not the sender's", row(`"namespace":"secret","model":"eta","version":"3"`), "forbidden"},
		{"of none", row(`"namespace":"","model":"eta","version":"3"`), "bad_row"},
		{"of a version that is made up", row(`"namespace":"ml","model":"eta","version":"99"`), "unknown_version"},
		{"with the receipt of another model", row(fmt.Sprintf(`"namespace":"ml","model":"spam","receipt":%q`, named(t, 1))), "receipt_mismatch"},
		{"with the receipt of another version", row(fmt.Sprintf(`"namespace":"ml","version":"4","receipt":%q`, named(t, 1))), "receipt_mismatch"},
		{"with a receipt that is made up", row(`"namespace":"ml","receipt":"1.eta.3.x"`), "bad_row"},
		{"that weighs more than all others", row(`"namespace":"ml","model":"eta","version":"3","weight":1e9`), "bad_row"},
		{"that weighs less than nothing", row(`"namespace":"ml","model":"eta","version":"3","weight":-1`), "bad_row"},
		{"beyond all numbers", `{"namespace":"ml","model":"eta","version":"3","predicted":1,"actual":1e300}`, "bad_row"},
	} {
		h, reg := handler(t)
		if code, answer, raw := post(h, c.row); code < 400 || answer.Accepted != 0 || answer.Rejected != 1 || answer.Errors[0].Reason != c.reason {
			t.Errorf("%s: %d %s", c.name, code, raw)
		}
		wantRefused(t, c.name, reg, c.reason)
	}
}

func wantRefused(t *testing.T, name string, reg *prometheus.Registry, reason string) {
	t.Helper()
	var want strings.Builder
	want.WriteString("# HELP leeway_feedback_refused_rows_total Rows of feedback that were not counted, by reason.\n# TYPE leeway_feedback_refused_rows_total counter\n")
	for _, r := range []string{"bad_row", "forbidden", "receipt_mismatch", "too_many_versions", "unknown_version"} {
		n := 0
		if r == reason {
			n = 1
		}
		fmt.Fprintf(&want, "leeway_feedback_refused_rows_total{reason=%q} %d\n", r, n)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want.String()),
		"leeway_feedback_refused_rows_total", "leeway_feedback_rows_total", "leeway_feedback_outcomes_total", "leeway_answer_observations_total"); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
