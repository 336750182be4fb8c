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
		fails     bool
		asked     int // in two visits
	}{
		{"good", "s3://m/1", false, nil, "", false, 2},
		{"gone", "s3://m/1", false, artifact.ErrMissing, decide.ReasonArtifactMissing, false, 2},
		{"another", "s3://m/1", false, artifact.ErrDigest, decide.ReasonArtifactDigest, false, 2},
		{"not to be read", "file:///m/1", false, artifact.ErrForbidden, decide.ReasonNotAllowed, false, 2},
		{"store down", "s3://m/1", false, fmt.Errorf("%w: %w", artifact.ErrUnreachable, down), "", true, 2},
		{"image", pin, true, nil, "", false, 2},
		{"image gone", pin, true, artifact.ErrMissing, decide.ReasonArtifactMissing, false, 2},
		// Its pin says what it is, and the kubelet has credentials of its own.
		{"image's registry down", pin, true, fmt.Errorf("%w: %w", artifact.ErrUnreachable, down), "", false, 1},
		{"image without a pin", "example.com/churn:1", true, artifact.ErrForbidden, "", false, 0},
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
			if got, err := v.artifactState(t.Context(), "1"); got != tt.want || (err != nil) != tt.fails {
				t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
			}
		}
		if asked != tt.asked {
			t.Errorf("%s: asked %d times, want %d", tt.name, asked, tt.asked)
		}
	}
}
