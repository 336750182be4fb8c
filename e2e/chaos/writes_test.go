package chaos_test

import (
	"flag"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var everyWrite = flag.Bool("every-write", false, "kill the leader at every write of every kind of decision: an hour")

// writesInWorld is how many writes there are before all begins anew, as inWorld.
const writesInWorld = 3

// TestKilledAtEveryWrite reads from the audit log what a leader writes for each
// story when nothing disturbs it. Then it tells the stories again, and kills
// the leader at the first of these writes, at the second and so on: just before
// it reaches the API server, and just after, so that the answer is lost.
func TestKilledAtEveryWrite(t *testing.T) {
	if !*everyWrite {
		t.Skip("takes an hour; -every-write runs it")
	}
	sum := &tally{}
	writes, most := map[string][]string{}, 0
	t.Run("undisturbed", func(t *testing.T) {
		w := newWorld(t)
		told, err := w.tell(t.Context(), 0, sum, plot{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range told {
			writes[m.name] = w.audit.journal(m.namespace)
			most = max(most, len(writes[m.name]))
			w.say("%s is %d writes: %s", m.name, len(writes[m.name]), strings.Join(writes[m.name], ", "))
			if len(writes[m.name]) < 4 {
				t.Errorf("%d writes of %s are too few to be all", len(writes[m.name]), m.name)
			}
		}
	})
	for from := 1; from <= most && !t.Failed(); from += writesInWorld {
		to := min(from+writesInWorld-1, most)
		t.Run(fmt.Sprintf("writes %d to %d", from, to), func(t *testing.T) {
			w := newWorld(t)
			for n := from; n <= to && !t.Failed(); n++ {
				w.killedAtWrite(t, n, writes, sum)
			}
			w.report(t, sum)
		})
	}
}

// killedAtWrite tells the stories twice: the leader is killed before the n-th write of
// each, and after.
func (w *world) killedAtWrite(t *testing.T, n int, writes map[string][]string, sum *tally) {
	for i, after := range []bool{false, true} {
		w.say("killed %s write %d", map[bool]string{false: "before", true: "after"}[after], n)
		if _, err := w.tell(t.Context(), 2*n+i, sum, plot{before: func(told []*scene) {
			for _, m := range told {
				if n <= len(writes[m.name]) {
					w.killAt(m, n, after, sum)
				}
			}
		}}); err != nil {
			t.Fatal(err)
		}
	}
}

// ofDecisions are the writes that belong to a decision: it, its journal, what it
// does, and what it says of versions.
var ofDecisions = regexp.MustCompile(`^(modeldecisions(/status)?|deployments|jobs|modelversions/status)$`)

// journal is what replicas have written for the decisions of a namespace.
func (a *auditLog) journal(namespace string) (list []string) {
	for _, w := range a.writes {
		if w.pod != "" && w.namespace == namespace && w.accepted() && ofDecisions.MatchString(w.resource) {
			list = append(list, strings.TrimSpace(w.verb+" "+w.resource+" "+w.lastStep))
		}
	}
	return list
}

// killAt kills whoever makes the n-th write for a scene, counted over both
// replicas.
func (w *world) killAt(m *scene, n int, after bool, sum *tally) {
	path := regexp.MustCompile(`/namespaces/` + m.namespace + `/(modeldecisions|deployments|jobs|modelversions)(/|$)`)
	var mu sync.Mutex
	left := n
	matches := func(r *http.Request) bool {
		if !path.MatchString(r.URL.Path) || r.URL.Query().Has("dryRun") {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		left--
		return left == 0
	}
	for _, r := range w.replicas {
		r.api.arm(&trap{matches: matches, after: after, spring: func() {
			sum.count(fmt.Sprintf("kill -9 of the leader at a write of %s", m.name))
			r.signal(syscall.SIGKILL)
		}})
	}
}
