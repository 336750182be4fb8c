package simulate_test

import (
	"math"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules/simulate"
)

func window(length, step time.Duration, hold int) simulate.Clocked {
	return simulate.Clocked{
		Rung:   simulate.Rung{Steps: int(length / step), Hold: hold, For: float64(hold) * step.Seconds() / length.Seconds(), PerWindow: 1e-4},
		Window: length, Step: step,
	}
}

// Rows and counts of the same change are two ways to the same delay.
func TestDetectIsAsSoonAsCounts(t *testing.T) {
	shift := simulate.Shifts()[1]
	ladder := []simulate.Clocked{window(15*time.Minute, 30*time.Second, 3), window(time.Hour, 2*time.Minute, 3)}
	const hourly, trials = 1000, 60
	var counted, replayed [2]float64
	for trial := range uint64(trials) {
		for i, at := range simulate.Delays(simulate.NewRandom(1, trial), ladder, shift, hourly, 1, 100_000, 24*time.Hour) {
			counted[i] += at.Minutes() / trials
		}
		r := simulate.NewRandom(2, trial)
		rows := simulate.ChangedRows{Hourly: hourly, Change: 2000, Past: shift.Kind.Shares}
		for i := range 6000 {
			shares := shift.Kind.Shares
			if i >= rows.Change {
				shares = shift.To
			}
			counts := make([]float64, len(shares))
			r.Multinomial(1, shares, counts)
			for b, n := range counts {
				if n > 0 {
					rows.Bins = append(rows.Bins, b)
				}
			}
		}
		column := simulate.Setting{Kind: shift.Kind, Reference: 100_000}.Draw(r)
		for i, a := range simulate.Detect(r, ladder, column, 1, rows) {
			if a.True == 0 {
				t.Fatalf("trial %d: the window of %s saw nothing", trial, ladder[i].Window)
			}
			replayed[i] += a.True.Minutes() / trials
		}
	}
	for i := range ladder {
		if math.Abs(counted[i]-replayed[i]) > 0.12*counted[i] {
			t.Errorf("window of %s: %.1f minutes by counts, %.1f by rows", ladder[i].Window, counted[i], replayed[i])
		}
	}
}

func TestDetectSeesAlarmsBeforeTheChange(t *testing.T) {
	past := []float64{0.5, 0.5}
	rows := simulate.ChangedRows{Hourly: 1000, Change: 500, Past: past, Bins: make([]int, 1000)} // all in bin 0
	column := simulate.NewColumn([]float64{5000, 5000})
	a := simulate.Detect(simulate.NewRandom(1, 1), []simulate.Clocked{window(5*time.Minute, 15*time.Second, 2)}, column, 1, rows)[0]
	if a.False < 25*time.Minute || a.False > 30*time.Minute {
		t.Errorf("an alarm %s before the change, want one soon after half an hour before, when the rows begin", a.False)
	}
}

// With 1,000 labels an hour and a share of wrong answers that doubles from 0.1,
// a window of 24 h is at 1.25 times 0.1 after a quarter of it, and an hour later
// fires.
func TestQualityOfWrongAnswers(t *testing.T) {
	q := simulate.Quality{Window: 24 * time.Hour, Interval: 5 * time.Minute, For: time.Hour, MinLabels: 200, Factor: 1.25, Sigmas: 3}
	wrong := make([]bool, 12_000)
	for i := range wrong {
		wrong[i] = i%10 == 0 || i >= 1000 && i%10 == 5
	}
	got := q.Wrong(wrong, 1000, 1000, 0.1)
	if want := 7*time.Hour + 5*time.Minute; got < want-5*time.Minute || got > want+5*time.Minute {
		t.Errorf("fires after %s, want about %s", got, want)
	}
	if got := q.Wrong(wrong[:1000], 500, 1000, 0.1); got != 0 {
		t.Errorf("fires after %s though nothing changes", got)
	}
}

// Of answers more wrong ones are an alarm, fewer are none; and the promise is kept
// by the half of G's tail that counts.
func TestOnlyMoreWrongAnswersCount(t *testing.T) {
	holdout := simulate.NewColumn([]float64{9000, 1000})
	rung := window(15*time.Minute, 30*time.Second, 3)
	rung.Factor, rung.MinRows = 1.25, 100
	for wrong, want := range map[float64]bool{0.01: false, 0.1: false, 0.08: false, 0.2: true} {
		r := simulate.NewRandom(3, 3)
		rows := simulate.ChangedRows{Hourly: 4000, Change: 4000, Past: []float64{0.9, 0.1}}
		for i := range 16_000 {
			p := 0.1
			if i >= rows.Change {
				p = wrong
			}
			bin := 0
			if r.Float64() < p {
				bin = 1
			}
			rows.Bins = append(rows.Bins, bin)
		}
		a := simulate.Detect(r, []simulate.Clocked{rung}, holdout, 1, rows)[0]
		if (a.True > 0) != want || a.False > 0 {
			t.Errorf("%.2f wrong where 0.1 was: %+v, want an alarm: %v", wrong, a, want)
		}
	}
	statistic := rung.Rung
	statistic.Factor, statistic.MinRows, statistic.PerWindow = 1, 0, 1e-5
	s := simulate.Setting{Kind: simulate.Kind{Shares: []float64{0.9, 0.1}}, Rows: 20_000, Reference: 1e9, Columns: 1}
	r := simulate.NewRandom(5, 5)
	palm, sum := simulate.NewPalm(r, statistic, s), 0.0
	for range 20 {
		alarms, _ := palm.Rate(s.Draw(r), 1000)
		sum += alarms / statistic.PerWindow / 20
	}
	if math.Abs(sum-1) > 0.3 {
		t.Errorf("%.2f of the false alarms that are promised", sum)
	}
}
