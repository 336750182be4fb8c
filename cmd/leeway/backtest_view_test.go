package main

import (
	"testing"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// The table says how far a decision would have gone, and of an evaluation that it was
// not run.
func TestWould(t *testing.T) {
	for _, tt := range []struct {
		action, to string
		level      v1alpha1.AutonomyLevel
		want       string
	}{
		{"hold", "2", v1alpha1.Auto, "hold"},
		{"rollback", "2", v1alpha1.Auto, "rollback to 2"},
		{"rollback", "2", v1alpha1.Approve, "rollback to 2, if approved"},
		{"retrain", "", v1alpha1.Observe, "would retrain"},
		{"evaluate", "", v1alpha1.Observe, "would evaluate (not run here)"},
		{"evaluate", "", v1alpha1.Approve, "evaluate (not run here)"},
		{"evaluate", "", v1alpha1.Auto, "evaluate (not run here)"},
	} {
		if got := would(&v1alpha1.ModelDecisionSpec{Action: tt.action, To: tt.to, Autonomy: tt.level}); got != tt.want {
			t.Errorf("%s at %s: got %q, want %q", tt.action, tt.level, got, tt.want)
		}
	}
}
