package chaos_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// tally is what has happened so far.
type tally struct {
	mu         sync.Mutex
	by         map[string]int // disturbances
	wrongs     []string
	scenes     map[string][]time.Duration // by story: from the trouble to the end
	superseded int
	leading    []time.Duration // from a disturbance to a leader
	alerts     int             // whose for state was compared
	forgotten  int
	compared   int // samples
}

// count counts a disturbance, and says which it is.
func (t *tally) count(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]int{}
	}
	t.by[name]++
	return t.sum()
}

func (t *tally) disturbances() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum()
}

func (t *tally) sum() (n int) {
	for _, x := range t.by {
		n += x
	}
	return n
}

func (t *tally) wrong(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrongs = append(t.wrongs, fmt.Sprintf(format, args...))
}

func (t *tally) led(after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leading = append(t.leading, after)
}

func (t *tally) forState(lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.alerts++; lost {
		t.forgotten++
	}
}

func (t *tally) samples(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.compared += n
}

func (t *tally) told(m *scene, all []decision) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.scenes == nil {
		t.scenes = map[string][]time.Duration{}
	}
	t.scenes[m.name] = append(t.scenes[m.name], m.ended.Sub(m.began))
	for _, d := range all {
		if d.Status.State == "Superseded" {
			t.superseded++
		}
	}
}

// judge is all that went wrong.
func (t *tally) judge(w *world) []string {
	f := w.audit.fenced()
	for _, m := range f.mixed {
		t.wrong("two led at once: %s", m)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.forgotten > 0 {
		t.wrongs = append(t.wrongs, fmt.Sprintf("%d of %d alerts have lost since when they were active", t.forgotten, t.alerts))
	}
	w.say("%d leaders, %d writes of a former leader taken before its successor's first, %d refused", f.leaders, len(f.late), f.refused)
	for _, l := range f.late {
		w.say("late: %s", l)
	}
	return t.wrongs
}

// String is a table.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(t.by)) {
		fmt.Fprintf(&b, "%5d  %s\n", t.by[name], name)
	}
	fmt.Fprintf(&b, "%5d  in all\n", t.sum())
	for _, name := range slices.Sorted(maps.Keys(t.scenes)) {
		all := slices.Sorted(slices.Values(t.scenes[name]))
		fmt.Fprintf(&b, "%5d  times %s, over after %.0fs (median), %.0fs (longest)\n", len(all), name, all[len(all)/2].Seconds(), all[len(all)-1].Seconds())
	}
	if n := len(t.leading); n > 0 {
		all := slices.Sorted(slices.Values(t.leading))
		fmt.Fprintf(&b, "       somebody leads %.1fs (median), %.1fs (longest) after a disturbance began\n", all[n/2].Seconds(), all[n-1].Seconds())
	}
	fmt.Fprintf(&b, "       %d decisions superseded; %d for states compared, %d lost; %d samples compared, none lost; %d wrong\n",
		t.superseded, t.alerts, t.forgotten, t.compared, len(t.wrongs))
	return b.String()
}
