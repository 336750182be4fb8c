package simulate_test

import (
	"math"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules/simulate"
)

func hourly(perWindow float64) simulate.Clocked {
	return simulate.Clocked{
		Rung: simulate.Rung{Steps: 30, Hold: 3, For: 0.1, PerWindow: perWindow}, Window: time.Hour, Step: 2 * time.Minute,
	}
}

// Time that passes and windows drawn for being nearly alarms tell the same, at
// a budget that is large enough to see it.
func TestTwoWaysAgree(t *testing.T) {
	const promise, streams, days = 0.01, 30, 60
	clocked := hourly(promise)
	traffic := simulate.Traffic{Kind: simulate.Kinds()[1], Hourly: 1000}
	passed := 0
	for i := range streams {
		passed += simulate.Stream(simulate.NewRandom(3, uint64(i)), clocked, traffic, 1_000_000, days).Alarms
	}
	random := simulate.NewRandom(4, 4)
	setting := simulate.Setting{Kind: traffic.Kind, Rows: traffic.Hourly, Reference: 1_000_000, Columns: 1}
	palm, drawn := simulate.NewPalm(random, clocked.Rung, setting), 0.0
	for range streams {
		alarms, _ := palm.Rate(setting.Draw(random), 500)
		drawn += alarms * 24 * days
	}
	if math.Abs(float64(passed)/drawn-1) > 0.2 {
		t.Errorf("%d alarms as time passed, %.0f by drawing windows", passed, drawn)
	}
	t.Logf("%d alarms as time passed, %.0f by drawing windows, %.0f promised", passed, drawn, promise*streams*24*days)
}

// Rows that come together count for less, and then keep the promise.
func TestClusteringIsFound(t *testing.T) {
	const promise, streams, days = 0.005, 5, 40
	clocked := hourly(promise)
	traffic := simulate.Traffic{Kind: simulate.Kinds()[1], Hourly: 3000, Session: 5, Alike: 0.8}
	alarms, blind := 0, 0
	for i := range streams {
		blind += simulate.Stream(simulate.NewRandom(5, uint64(i)), clocked, traffic, 1_000_000, days).Alarms
		seeing := clocked
		seeing.History = time.Hour
		out := simulate.Stream(simulate.NewRandom(5, uint64(i)), seeing, traffic, 1_000_000, days)
		// Two rows of a session are alike by 0.8 from the first, 0.64 among others.
		if want := 1 + (2*0.8*4+0.64*12)/5; out.Clustering < 0.85*want || out.Clustering > 1.3*want {
			t.Errorf("clustering %.2f of sessions, %.2f by design", out.Clustering, want)
		}
		alarms += out.Alarms
	}
	if promised := promise * streams * 24 * days; float64(alarms) > 2*promised || float64(blind) < 20*promised {
		t.Errorf("%d alarms, and %d without clustering, where %.0f are promised", alarms, blind, promised)
	}
}

// A week that repeats itself is no drift; what is new is.
func TestCycles(t *testing.T) {
	traffic := simulate.Traffic{Kind: simulate.Kinds()[0], Hourly: 1000, Daily: 1, Weekend: 0.5}
	clocked := hourly(0.001)
	clocked.Floor = 0.1
	without := simulate.Stream(simulate.NewRandom(1, 1), clocked, traffic, 100_000, 14).Alarms
	clocked.LastWeek = true
	with := simulate.Stream(simulate.NewRandom(1, 1), clocked, traffic, 100_000, 14).Alarms
	if without < 5 || with > 1 {
		t.Errorf("%d alarms in two weeks of cycles, %d without last week", with, without)
	}
}

// Large changes are seen in the short window, small ones in the long one.
func TestDelays(t *testing.T) {
	ladder := []simulate.Clocked{hourly(1e-5), hourly(1e-5)}
	ladder[1].Window, ladder[1].Step = 24*time.Hour, time.Hour
	ladder[1].Steps, ladder[1].Hold = 24, 2
	for _, tt := range []struct {
		shift, sooner int
	}{{2, 0}, {0, 1}} {
		shift := simulate.Shifts()[tt.shift]
		wins := 0
		for i := range 10 {
			at := simulate.Delays(simulate.NewRandom(6, uint64(i)), ladder, shift, 100, 1, 100_000, 7*24*time.Hour)
			other := at[1-tt.sooner]
			if at[tt.sooner] > 0 && (other == 0 || at[tt.sooner] < other) {
				wins++
			}
		}
		if wins < 8 {
			t.Errorf("%s: the window that fits is sooner in %d of 10", shift.Name, wins)
		}
	}
}
