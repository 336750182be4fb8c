package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/artifact"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

func TestArtifactState(t *testing.T) {
	pin := "example.com/churn@sha256:" + strings.Repeat("a", 64)
	down := errors.New("connection refused")
	tests := []struct {
		name, uri string
		image     bool
		err       error
		want      decide.Reason
		asked     int // in two visits
	}{
		{"good", "s3://m/1", false, nil, "", 2},
		{"gone", "s3://m/1", false, artifact.ErrMissing, decide.ReasonArtifactMissing, 1},
		{"another", "s3://m/1", false, artifact.ErrDigest, decide.ReasonArtifactDigest, 1},
		{"not to be read", "file:///m/1", false, artifact.ErrForbidden, decide.ReasonNotAllowed, 1},
		{"store down", "s3://m/1", false, fmt.Errorf("%w: %w", artifact.ErrUnreachable, down), decide.ReasonArtifactUnreachable, 2},
		{"image", pin, true, nil, "", 2},
		{"image gone", pin, true, artifact.ErrMissing, decide.ReasonArtifactMissing, 1},
		// Its pin says what it is, and the kubelet has credentials of its own.
		{"image's registry down", pin, true, fmt.Errorf("%w: %w", artifact.ErrUnreachable, down), "", 1},
		{"image without a pin", "example.com/churn:1", true, artifact.ErrForbidden, "", 0},
	}
	for _, tt := range tests {
		asked := 0
		v := &visit{
			Loop: &Loop{checks: newChecks(), Config: Config{Now: time.Now, CheckArtifact: func(context.Context, string, string) error {
				asked++
				return tt.err
			}}},
			leading: t.Context(), guard: &v1alpha1.ModelGuard{},
			versions: []registry.Version{{Number: 1, Spec: registryv1.ModelVersionSpec{Artifact: registryv1.Artifact{URI: tt.uri}}}},
		}
		v.guard.Spec.Artifact.Image = tt.image
		for range 2 {
			if got, _, err := v.artifactState(t.Context(), "1"); got != tt.want || err != nil {
				t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
			}
		}
		if asked != tt.asked {
			t.Errorf("%s: asked %d times, want %d", tt.name, asked, tt.asked)
		}
	}
}

// What was found of an artifact is passed to the next match for as long as it
// holds: longer where finding it out took long. Nobody having answered is nothing.
func TestFindings(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		err  error
		took time.Duration
		want registry.Exclusion
		last time.Duration // while it holds, after the check
	}{
		{"gone", artifact.ErrMissing, 0, registry.ExcludedArtifact, time.Minute - 1},
		{"another", artifact.ErrDigest, time.Minute, registry.ExcludedDigest, 10*time.Minute - 1},
		{"not to be read", artifact.ErrForbidden, 0, registry.ExcludedForbidden, time.Minute - 1},
		{"store down", artifact.ErrUnreachable, time.Minute, "", 0},
		{"store down, in its words", errors.New("connection refused"), 0, "", 0},
		{"good", nil, time.Minute, "", 0},
	} {
		now := start
		c := newChecks()
		a := registryv1.Artifact{URI: "s3://m/2", SHA256: strings.Repeat("a", 64)}
		versions := []registry.Version{
			{Number: 1, Spec: registryv1.ModelVersionSpec{Artifact: registryv1.Artifact{URI: "s3://m/1"}}},
			{Number: 2, Spec: registryv1.ModelVersionSpec{Artifact: a}},
		}
		err := c.do(t.Context(), func() time.Time { return now }, a, func(context.Context, string, string) error {
			now = now.Add(tt.took)
			return tt.err
		})
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
		found := c.findings(now.Add(tt.last), versions)
		if f := found[2]; f.Reason != tt.want || len(found) > 1 || len(found) == 1 && f.Detail != tt.err.Error() {
			t.Errorf("%s: found %v, want %q", tt.name, found, tt.want)
		}
		if later := c.findings(now.Add(tt.last+1), versions); len(later) != 0 {
			t.Errorf("%s: still found after %s: %v", tt.name, tt.last+1, later)
		}
		versions[1].Spec.Artifact.SHA256 = strings.Repeat("b", 64)
		if other := c.findings(now, versions); len(other) != 0 {
			t.Errorf("%s: found of an artifact that was never looked at: %v", tt.name, other)
		}
	}
}
