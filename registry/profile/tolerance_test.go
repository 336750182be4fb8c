package profile_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
)

var monday = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// weekdays are rows of some days from a Monday on: the weekday, a number that is
// noise, and one that changes from day to day.
func weekdays(from, days, perDay int, seed uint64) []timedRow {
	r := rand.New(rand.NewPCG(seed, uint64(from)))
	var rows []timedRow
	for day := from; day < from+days; day++ {
		today := r.IntN(10)
		for range perDay {
			at := monday.AddDate(0, 0, day).Add(time.Duration(r.Int64N(int64(24 * time.Hour))))
			b := []uint8{uint8(day % 7), uint8(r.IntN(10)), uint8((today + r.IntN(5)) % 10), 0}
			rows = append(rows, timedRow{at, b})
		}
	}
	return rows
}

// A window of any length from a week to the longest that is known is within the
// tolerance of a column that says the weekday, although blocks of a week hold each
// weekday once; and so it is within a day and a week where days were measured.
func TestToleranceOfCycles(t *testing.T) {
	for _, tt := range []struct {
		name           string
		days, perDay   int
		shortest, last int
	}{
		{"weeks", 84, 24, 7, 14},
		{"days and weeks", 84, 200, 1, 14},
		{"weeks and months", 365, 24, 7, 60},
	} {
		p, _ := applied(t, weekdays(0, tt.days, tt.perDay, 1), 1)
		var refs profile.References
		ref, err := refs.Add(p)
		if err != nil {
			t.Fatal(err)
		}
		for days := tt.shortest; days <= tt.last; days++ {
			tolerance, ok := ref.Tolerance(time.Duration(days) * 24 * time.Hour)
			if !ok {
				t.Fatalf("%s: no tolerance for %d days", tt.name, days)
			}
			for begin := range 7 {
				d, err := profile.Compare(p, described(weekdays(364+begin, days, tt.perDay, 2)))
				if err != nil {
					t.Fatal(err)
				}
				if got, most := d.Columns[0].Distance, tolerance.Column(0); got > most {
					t.Errorf("%s: %d days from weekday %d: the weekday is %.3f away, tolerated %.3f", tt.name, days, begin, got, most)
				}
			}
			// Two weekdays of ten are another kind, however long.
			if most := tolerance.Column(0); days >= 7 && most > 0.35 {
				t.Errorf("%s: %d days: tolerated %.3f of the weekday", tt.name, days, most)
			}
		}
	}
}

// changing are rows of days each of which has its own mix of three numbers.
func changing(days, perDay int, seed uint64) []timedRow {
	r := rand.New(rand.NewPCG(seed, 3))
	var rows []timedRow
	for day := range days {
		var narrow [3]int
		for i := range narrow {
			narrow[i] = r.IntN(10)
		}
		for range perDay {
			b := make([]uint8, 4)
			for i, n := range narrow {
				b[i] = uint8(r.IntN(10) * r.IntN(n+2) / (n + 2))
			}
			rows = append(rows, timedRow{monday.AddDate(0, 0, day).Add(time.Duration(r.Int64N(int64(24 * time.Hour)))), b})
		}
	}
	return rows
}

// Of few blocks the 95% distance is their maximum, and all of them are within
// it: the factor must say what a further block needs.
func TestToleranceOfFewBlocks(t *testing.T) {
	within, all := 0, 0
	for seed := range uint64(60) {
		rows := changing(30, 200, seed)
		p, _ := applied(t, rows[:15*200], 1)
		var refs profile.References
		ref, err := refs.Add(p)
		if err != nil {
			t.Fatal(err)
		}
		tolerance, ok := ref.Tolerance(24 * time.Hour)
		if !ok {
			t.Fatal("no tolerance for a day")
		}
		for day := 15; day < 30; day++ {
			d, err := profile.Compare(p, described(rows[day*200:(day+1)*200]))
			if err != nil {
				t.Fatal(err)
			}
			fits := true
			for i, c := range d.Columns {
				fits = fits && c.Distance <= tolerance.Column(i)
			}
			if all++; fits {
				within++
			}
		}
	}
	t.Logf("%d of %d days within all columns", within, all)
	if share := float64(within) / float64(all); share < 0.9 {
		t.Errorf("%.3f of further days are within all columns' tolerance of 15 days", share)
	}
}
