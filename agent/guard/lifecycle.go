package guard

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// reconcileLifecycles has the registry say which version is live: the one that
// is settled, and no other.
func (v *visit) reconcileLifecycles(ctx context.Context) error {
	if v.evidence.SettledAt.IsZero() || v.evidence.Mismatch != "" || v.version(v.fields.Version) == nil {
		return nil
	}
	for i := range v.versions {
		r := &v.versions[i]
		number := strconv.FormatInt(r.Number, 10)
		active := number == v.fields.Version
		var err error
		switch {
		case active && r.Lifecycle == registryv1.Registered:
			err = v.setLifecycle(ctx, number, registryv1.Live, "settled in "+v.work.Ref())
		case !active && r.Lifecycle == registryv1.Live:
			err = v.setLifecycle(ctx, number, registryv1.Registered, fmt.Sprintf("version %s settled in %s", v.fields.Version, v.work.Ref()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setLifecycle changes what the registry says became of a version, by
// compare-and-swap on what was read. That somebody else was first is no error:
// the next round sees what they wrote.
func (v *visit) setLifecycle(ctx context.Context, version string, to registryv1.Lifecycle, reason string) error {
	r := v.version(version)
	if r == nil || r.Lifecycle == to || registry.CheckTransition(r.Lifecycle, to) != nil {
		return nil
	}
	err := v.store.SetLifecycle(ctx, r.Model, r.Number, r.Lifecycle, to, v1alpha1.FieldManager, reason)
	if errors.Is(err, registry.ErrConflict) || errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mark version %s of %s as %s: %w", version, r.Model, to, err)
	}
	v.log.Info("lifecycle", zap.String("model", r.Model), zap.String("version", version), zap.String("from", string(r.Lifecycle)),
		zap.String("to", string(to)), zap.String("reason", reason))
	r.Lifecycle = to
	return nil
}
