package decide_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

func TestLastGood(t *testing.T) {
	errorsAt := func(t time.Time) map[decide.AlertCause]time.Time {
		return map[decide.AlertCause]time.Time{decide.AlertErrors: t}
	}
	// Version 5 is active; 3 served before it, 2 before that, 1 first.
	world := func(f func(*decide.Evidence)) decide.Evidence {
		e := released(minute, true)
		e.History = append(e.History[:1],
			decide.Served{Version: "3", SettledAt: ago(10 * minute), ReplacedAt: ago(minute), SeenSince: seen(ago(10 * minute))},
			decide.Served{Version: "2", SettledAt: ago(20 * minute), ReplacedAt: ago(10 * minute), SeenSince: seen(ago(20 * minute))},
			decide.Served{Version: "1", SettledAt: ago(30 * minute), ReplacedAt: ago(20 * minute), SeenSince: seen(ago(30 * minute))})
		f(&e)
		return e
	}
	for _, test := range []struct {
		name   string
		change func(*decide.Evidence)
		want   string
		reason decide.Reason
	}{
		{"the one before", func(*decide.Evidence) {}, "3", decide.ReasonLastGood},
		{"alerts of long before", func(e *decide.Evidence) { e.History[1].LastAlert = errorsAt(ago(80 * second)) }, "3", decide.ReasonLastGood},
		{"alerts at its end", func(e *decide.Evidence) { e.History[1].LastAlert = errorsAt(ago(79 * second)) }, "2", decide.ReasonLastGood},
		{"alerts of another cause", func(e *decide.Evidence) {
			e.History[1].LastAlert = map[decide.AlertCause]time.Time{decide.AlertQuality: ago(minute)}
		}, "3", decide.ReasonLastGood},
		{"settled for too short", func(e *decide.Evidence) { e.History[1].SettledAt = ago(79 * second) }, "2", decide.ReasonLastGood},
		{"never seen to answer a request", func(e *decide.Evidence) { e.History[1].SeenSince = nil }, "2", decide.ReasonLastGood},
		{"never settled", func(e *decide.Evidence) { e.History[1].SettledAt = time.Time{} }, "2", decide.ReasonLastGood},
		{"rejected", func(e *decide.Evidence) { e.Versions[2].Rejected = true }, "2", decide.ReasonLastGood},
		{"retired", func(e *decide.Evidence) { e.Versions[2].Retired = true }, "2", decide.ReasonLastGood},
		{"other compat", func(e *decide.Evidence) { e.Versions[2].Compat = "b" }, "2", decide.ReasonLastGood},
		{"other schema", func(e *decide.Evidence) { e.Versions[2].Schema = "t" }, "2", decide.ReasonLastGood},
		{"left as a bad release", func(e *decide.Evidence) { e.History[1].LeftFor = decide.BadRelease }, "2", decide.ReasonLastGood},
		{"not registered", func(e *decide.Evidence) {
			e.Versions = e.Versions[:2:2]
			e.Versions = append(e.Versions, decide.Known{Version: "5", Compat: "a", Schema: "s"})
		}, "2", decide.ReasonLastGood},
		{"an earlier stay of the same version", func(e *decide.Evidence) {
			e.History[1].LastAlert = errorsAt(ago(minute))
			e.History[2].Version = "3"
		}, "1", decide.ReasonLastGood},
		{"its latest stay never settled and had errors", func(e *decide.Evidence) {
			e.History[1] = decide.Served{Version: "2", ReplacedAt: ago(minute), LastAlert: errorsAt(ago(minute))}
		}, "1", decide.ReasonLastGood},
		{"its latest stay never got up", func(e *decide.Evidence) {
			e.History[1] = decide.Served{Version: "2", ReplacedAt: ago(minute)}
		}, "2", decide.ReasonLastGood},
		{"never the active one", func(e *decide.Evidence) { e.History[1].Version = "5" }, "2", decide.ReasonLastGood},
		{"none", func(e *decide.Evidence) { e.History = e.History[:1] }, "", decide.ReasonNoGoodVersion},
		{"only one version", func(e *decide.Evidence) { e.Versions = e.Versions[3:] }, "", decide.ReasonFirstVersion},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, reason := decide.LastGood(world(test.change), policy(), decide.AlertErrors, now)
			if got != test.want || reason != test.reason {
				t.Errorf("got %q, %s; want %q, %s", got, reason, test.want, test.reason)
			}
		})
	}
}
