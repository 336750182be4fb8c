package incidents_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/incidents"
)

func play(t *testing.T, kind incidents.Kind, seed uint64) *incidents.Outcome {
	t.Helper()
	files, err := incidents.Rules()
	if err != nil {
		t.Fatal(err)
	}
	s, err := incidents.New(kind, seed)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Run(t.Context(), files, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// One of each kind; "go run ./agent/incidents/bench" plays a thousand.
func TestOneOfEachKind(t *testing.T) {
	for _, kind := range incidents.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			o := play(t, kind, 1)
			for _, v := range o.Verdicts() {
				if v.Right && len(v.Wrong) == 0 && v.Acted == v.Truth.Act.Acts() {
					continue
				}
				t.Errorf("%s: model %s: %q for %q, acted %v, wrong acts %d", o.Variant, v.Model, v.Said, v.Truth.Cause, v.Acted, len(v.Wrong))
				for _, l := range o.Looks {
					if l.Model == v.Model {
						t.Logf("%+d s %s %s %s %s: %s", l.Second, l.Cause, l.Action, l.Reason, l.Target, l.Message)
					}
				}
			}
		})
	}
}

// A seed shows the same again.
func TestSameSeed(t *testing.T) {
	a, b := play(t, incidents.BrokenInput, 7), play(t, incidents.BrokenInput, 7)
	if d := cmp.Diff(a.Looks, b.Looks); d != "" {
		t.Error(d)
	}
	if other := play(t, incidents.BrokenInput, 8); cmp.Equal(a.Looks, other.Looks) {
		t.Error("another seed shows the same")
	}
}

func TestUnknownKind(t *testing.T) {
	if _, err := incidents.New("flood", 1); err == nil {
		t.Error("no error")
	}
}

// look is one of model m.
func look(second int, cause decide.Cause, action decide.Action, target string) incidents.Look {
	return incidents.Look{Second: second, Model: "churn", Decision: decide.Decision{Cause: cause, Action: action, Target: target}}
}

func TestVerdicts(t *testing.T) {
	const none, drift, release = decide.None, decide.InputDrift, decide.BadRelease
	tests := map[string]struct {
		looks []incidents.Look
		want  incidents.Verdict // of a bad release, to be rolled back to version 2
	}{
		"right":               {[]incidents.Look{look(-90, none, "none", ""), look(9, release, "rollback", "2")}, incidents.Verdict{Said: release, First: release, After: 9, Right: true, Acted: true}},
		"nothing was said":    {[]incidents.Look{look(-90, none, "none", ""), look(9, release, "wait", "")}, incidents.Verdict{}},
		"what stands longest": {[]incidents.Look{look(5, drift, "hold", ""), look(9, release, "hold", "")}, incidents.Verdict{Said: release, First: drift, After: 9, Right: true}},
		"before does not count": {[]incidents.Look{look(-90, drift, "hold", ""), look(-1, none, "none", ""), look(9, release, "hold", "")},
			incidents.Verdict{Said: release, First: release, After: 9, Right: true}},
		"wrong": {[]incidents.Look{look(9, drift, "hold", "")}, incidents.Verdict{Said: drift, First: drift, After: 9}},
		"back to another version, and before anything was the matter": {[]incidents.Look{look(-50, release, "rollback", "1"), look(-20, none, "none", "")},
			incidents.Verdict{Wrong: []incidents.Look{look(-50, release, "rollback", "1")}}},
	}
	s, err := incidents.New(incidents.BadRelease, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &incidents.Outcome{Scene: s, Looks: tt.looks}
			tt.want.Model, tt.want.Truth = "churn", incidents.Truth{Cause: release, Act: decide.Rollback, Target: "2"}
			if d := cmp.Diff([]incidents.Verdict{tt.want}, o.Verdicts()); d != "" {
				t.Error(d)
			}
		})
	}
}
