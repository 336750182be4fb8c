package profile_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
)

// Columns that come later are in the slices from then on, names share what a
// day may keep, and a day later there is room again.
func TestLearner(t *testing.T) {
	r := profile.NewLearner(3)
	day := time.Date(2026, 3, 1, 18, 0, 0, 0, time.UTC)
	add := func(at time.Time, names ...string) {
		r.Lock(at)
		defer r.Unlock()
		r.AddRows(int64(len(names)))
		for _, name := range names {
			r.Feature(0).Category(name)
		}
	}
	r.Lock(day)
	r.Learn(profile.Column{Name: "c", Type: profile.Category})
	r.Unlock()
	add(day, "a", "b", "a", "c", "d", "d")
	add(day.Add(8*time.Hour), "e", "e", "e")
	r.Lock(day.Add(9 * time.Hour))
	n := r.Learn(profile.Column{Name: "n", Type: profile.Number})
	r.Feature(n).Number(1)
	r.Unlock()

	p := reread(t, r.Profile(day.Add(-time.Hour), day.Add(24*time.Hour)))
	if c := p.Features[0]; c.Rows != 9 || c.Folded != 2 || len(c.Categories) != 4 || c.Categories[0].Name != "e" {
		t.Errorf("%d rows, %d folded, %v", c.Rows, c.Folded, c.Categories)
	}
	if c := p.Features[1]; c.Rows != 1 || p.Rows != 9 {
		t.Errorf("%d rows of %d", c.Rows, p.Rows)
	}
	if p = r.Profile(day.Add(7*time.Hour), day.Add(24*time.Hour)); p.Rows != 3 {
		t.Errorf("%d rows of the second day, want 3", p.Rows)
	}
	add(day.Add(48*time.Hour), "f")
	if p = r.Profile(day, day.Add(49*time.Hour)); p.Rows != 4 {
		t.Errorf("%d rows of the last two days that had any, want 4", p.Rows)
	}
}
