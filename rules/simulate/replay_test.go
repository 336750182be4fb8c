package simulate_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules/simulate"
)

const day = 24 * time.Hour

// rows are so many an hour that go round the bins, but from a day on stay in the
// first.
func rows(hourly, bins, days, changes int) (out simulate.Rows) {
	for i := range hourly * 24 * days {
		at := time.Duration(i) * time.Hour / time.Duration(hourly)
		bin := uint8(i % bins)
		if at >= time.Duration(changes)*day {
			bin = 0
		}
		out.At, out.Bin = append(out.At, at), append(out.Bin, bin)
	}
	return out
}

// Recorded rows fire the rule of a day's window on the day of a change, until
// there is a last week like it; and never where there are too few.
func TestReplay(t *testing.T) {
	rung := simulate.Clocked{
		Rung:   simulate.Rung{Steps: 24, Hold: 2, For: 1.0 / 12, PerWindow: 1e-3, Floor: 0.1, MinRows: 1000},
		Window: day, Step: time.Hour, History: day, LastWeek: true, Profile: 2,
	}
	column := simulate.NewColumn([]float64{1000, 1000, 1000, 1000})
	out := simulate.Replay(rung, column, 5, rows(200, 4, 30, 12), 30*day)
	if len(out.Alarms) != 1 || out.Unknown != 0 {
		t.Fatalf("alarms %v, unknown %.2f, want one alarm and nothing unknown", out.Alarms, out.Unknown)
	}
	if a := out.Alarms[0]; a.From < 12*day || a.From > 13*day || a.To < 18*day || a.To > 20*day {
		t.Errorf("alarm from %s to %s, want it on the day of the change and a week long", a.From, a.To)
	}
	few := simulate.Replay(rung, column, 5, rows(40, 4, 30, 12), 30*day)
	if len(few.Alarms) != 0 || few.Unknown != 1 {
		t.Errorf("alarms %v, unknown %.2f of 480 effective rows a day where 1000 are wanted", few.Alarms, few.Unknown)
	}
	// What the profile says of clustering counts until it is measured.
	rung.Profile = 20
	clustered := simulate.Replay(rung, column, 5, rows(200, 4, 30, 12), 30*day)
	if len(clustered.Alarms) != 1 || clustered.Unknown < 0.01 || clustered.Unknown > 0.1 {
		t.Errorf("alarms %v, unknown %.3f, want the same alarm, and nothing known until clustering was measured", clustered.Alarms, clustered.Unknown)
	}
}
