package mlflow

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// maxBurnt bounds the numbers that are skipped because they were given before
// the registered model was deleted in MLflow.
const maxBurnt = 1000

// registration is one version on its way in.
type registration struct {
	spec   v1alpha1.ModelVersionSpec
	key    string
	tags   []tag // the document
	sum    string
	input  *datasetInput
	ledger ledger
	run    string // once it is written
}

// Register implements registry.Store. The order makes a death at any point
// harmless: a run without a version is nobody's, a draft is not listed, and a
// number that was claimed has one claimant.
func (s *Store) Register(ctx context.Context, spec v1alpha1.ModelVersionSpec) (registry.Version, error) {
	r, err := newRegistration(spec)
	if err != nil {
		return registry.Version{}, err
	}
	if r.ledger, err = s.ledger(ctx, spec.Model); err != nil {
		return registry.Version{}, err
	}
	if err := s.sweep(ctx, spec.Model, r.ledger); err != nil {
		return registry.Version{}, err
	}
	for burnt := 0; burnt < maxBurnt; burnt++ {
		n, err := s.resume(ctx, r)
		if err != nil {
			return registry.Version{}, err
		}
		if n > 0 {
			return s.known(ctx, r, n)
		}
		if err := s.write(ctx, r); err != nil {
			return registry.Version{}, err
		}
		v, err := s.draft(ctx, r)
		if err != nil {
			return registry.Version{}, err
		}
		done, err := s.complete(ctx, r, v)
		if err != nil {
			return registry.Version{}, err
		}
		if n := int64(v.Version); done {
			return registry.Version{Model: spec.Model, Number: n, Created: time.UnixMilli(int64(v.Created)).UTC(),
				Spec: registry.Numbered(spec, n), Lifecycle: v1alpha1.Registered}, nil
		}
	}
	return registry.Version{}, fmt.Errorf("mlflow: %s: %w: the registered model %s was deleted in MLflow and begins again at numbers that were given before, more than %d of them: register under another name",
		s.client.base, registry.ErrConflict, spec.Model, maxBurnt)
}

// known returns the version that was there already. A run that was written
// before it was seen is nobody's.
func (s *Store) known(ctx context.Context, r *registration, n int64) (registry.Version, error) {
	if r.run != "" {
		if err := s.client.deleteRun(ctx, r.run); err != nil {
			return registry.Version{}, err
		}
	}
	return s.Get(ctx, r.spec.Model, n)
}

func newRegistration(spec v1alpha1.ModelVersionSpec) (*registration, error) {
	if err := registry.Validate(spec); err != nil {
		return nil, err
	}
	key, err := registry.Key(spec)
	if err != nil {
		return nil, err
	}
	return prepare(document{Spec: spec}, key)
}

// prepare makes all that is sent of a version.
func prepare(d document, key string) (*registration, error) {
	r := &registration{spec: d.Spec, key: key}
	var err error
	if r.input, err = encodeDataset(d.Spec); err != nil {
		return nil, err
	}
	if r.input != nil {
		d.ProfileBytes = len(r.input.Dataset.Profile)
	}
	r.tags, r.sum, err = encodeSpec(d)
	return r, err
}

// resume returns the number of the version that was registered for the key. A
// draft of a registrar that died, or that is at work, is completed: it holds
// the same. 0 means that there is none.
func (s *Store) resume(ctx context.Context, r *registration) (int64, error) {
	if r.key == "" {
		return 0, nil
	}
	for {
		same, err := s.client.versions(ctx, r.spec.Model, tagKey, r.key)
		if err != nil || len(same) == 0 {
			return 0, err
		}
		if done, err := s.complete(ctx, r, same[0]); err != nil || done {
			return int64(same[0].Version), err
		}
	}
}

// write makes the run that holds the data set and the metrics.
func (s *Store) write(ctx context.Context, r *registration) error {
	if r.run != "" {
		return nil
	}
	c, now := s.client, s.now().UnixMilli()
	name := path.Base(r.spec.Artifact.URI)
	id, err := c.createRun(ctx, r.ledger.experiment, cut(name, 200), now, []tag{{"mlflow.source.name", "leeway"}, {"mlflow.note.content", describe(r.spec)}})
	if err != nil {
		return err
	}
	batch := map[string]any{"run_id": id, "params": []tag{{paramSpec, r.sum}}, "metrics": metrics(r.spec, now)}
	if err := c.post(ctx, "runs/log-batch", batch, nil); err != nil {
		return err
	}
	if r.input != nil {
		if err := c.post(ctx, "runs/log-inputs", map[string]any{"run_id": id, "datasets": []datasetInput{*r.input}}, nil); err != nil {
			return err
		}
	}
	if err := c.post(ctx, "runs/update", map[string]any{"run_id": id, "status": "FINISHED", "end_time": s.now().UnixMilli()}, nil); err != nil {
		return err
	}
	r.run = id
	return nil
}

// draft makes the model version, which nobody sees yet.
func (s *Store) draft(ctx context.Context, r *registration) (modelVersion, error) {
	tags := append([]tag{{tagState, stateDraft}}, r.tags...)
	if r.key != "" {
		tags = append(tags, tag{tagKey, r.key})
	}
	create := func(source string) (v modelVersion, err error) {
		for range 2 {
			v, err = s.client.createVersion(ctx, r.spec.Model, source, r.run, describe(r.spec), newNonce(), tags)
			if !errors.Is(err, registry.ErrNotFound) {
				return v, err
			}
			if err := s.client.createModel(ctx, r.spec.Model); err != nil { // it is the first version
				return v, err
			}
		}
		return v, err
	}
	// A server does not take every address: not those of its own disk, nor what
	// its administrator forbade. The document has it in any case.
	address := source(r.spec.Artifact.URI)
	if len(address) > maxSource {
		address = elsewhere
	}
	v, err := create(address)
	for _, other := range []string{"leeway-" + address, elsewhere} {
		if !is(err, codeBadValue) {
			break
		}
		v, err = create(other)
	}
	return v, err
}

// complete makes a draft a version, and says whether it is one. It isn't when
// its number was given before, when it is gone, or when an older one with the
// same key is there: then look again.
func (s *Store) complete(ctx context.Context, r *registration, v modelVersion) (bool, error) {
	model, n := r.spec.Model, int64(v.Version)
	if state, _ := value(v.Tags, tagState); state == stateComplete {
		return true, nil
	}
	nonce, ok := value(v.Tags, tagNonce)
	if !ok {
		return false, fmt.Errorf("version %d of %s in MLflow: %w: it is a draft without a tag %s: delete it there", n, model, registry.ErrInvalid, tagNonce)
	}
	if r.key != "" {
		// MLflow gives rising numbers, each together with the tags: whoever got
		// a higher one sees the lowest here, so one version is completed.
		same, err := s.client.versions(ctx, model, tagKey, r.key)
		switch {
		case err != nil:
			return false, err
		case len(same) == 0: // deleted meanwhile
			return false, nil
		case int64(same[0].Version) < n:
			return false, s.client.deleteVersion(ctx, model, n)
		}
	}
	there, err := s.claim(ctx, r.ledger, numberFact(n), nonce)
	if err != nil {
		return false, err
	}
	if there != nonce { // given before the registered model was deleted in MLflow
		return false, s.client.deleteVersion(ctx, model, n)
	}
	err = s.client.setVersionTag(ctx, model, n, tagState, stateComplete)
	if errors.Is(err, registry.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
