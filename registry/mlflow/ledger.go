package mlflow

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry"
)

// rootExperiment holds the ledgers of all models. What is of one model is in
// an experiment of its own below it.
const rootExperiment = "leeway"

func experimentOf(model string) string { return rootExperiment + "/" + model }

// ledger is the run whose params say what was decided about a model. MLflow
// writes a param of a run once: who is first wins, and everybody can see who
// that was.
type ledger struct {
	experiment string // where the model's runs are
	run        string
}

// ledger finds a model's ledger, or makes it. An experiment's name is given
// once too, together with its tags: so the run that the experiment's creator
// named is the ledger, for good.
func (s *Store) ledger(ctx context.Context, model string) (ledger, error) {
	l, err := s.knownLedger(ctx, model)
	if !errors.Is(err, registry.ErrNotFound) {
		return l, err
	}
	if err := s.makeLedger(ctx, model); err != nil {
		return ledger{}, err
	}
	return s.knownLedger(ctx, model)
}

// knownLedger finds a model's ledger, or none. It writes nothing: readers need
// no right to.
func (s *Store) knownLedger(ctx context.Context, model string) (ledger, error) {
	s.mu.Lock()
	l, ok := s.ledgers[model]
	s.mu.Unlock()
	if ok {
		return l, nil
	}
	l, err := s.findLedger(ctx, model)
	if err != nil {
		return ledger{}, err
	}
	s.mu.Lock()
	s.ledgers[model] = l
	s.mu.Unlock()
	return l, nil
}

func (s *Store) findLedger(ctx context.Context, model string) (ledger, error) {
	e, err := s.client.experiment(ctx, experimentOf(model))
	if err != nil {
		return ledger{}, err
	}
	id, _ := value(e.Tags, tagLedger)
	broken := func(what string) error {
		return fmt.Errorf("mlflow: %s: %w: experiment %s (%s) %s", s.client.base, registry.ErrInvalid, e.Name, e.ID, what)
	}
	switch {
	case e.Lifecycle == "deleted":
		return ledger{}, broken("is deleted, and with it what numbers were given: restore it with `mlflow experiments restore`")
	case id == "" || e.ID == "":
		return ledger{}, broken("has no tag " + tagLedger + ": it was not made by Leeway; rename it")
	}
	return ledger{experiment: e.ID, run: id}, nil
}

func (s *Store) makeLedger(ctx context.Context, model string) error {
	root, err := s.client.experiment(ctx, rootExperiment)
	if errors.Is(err, registry.ErrNotFound) {
		if _, err = s.client.createExperiment(ctx, rootExperiment); err == nil {
			root, err = s.client.experiment(ctx, rootExperiment)
		}
	}
	if err != nil {
		return err
	}
	id, err := s.client.createRun(ctx, root.ID, model, s.now().UnixMilli(), []tag{{"mlflow.note.content",
		"What was decided about the model " + model + ": numbers given, lifecycles changed. Leeway needs it; don't delete it."}})
	if err != nil {
		return err
	}
	taken, err := s.client.createExperiment(ctx, experimentOf(model), tag{tagLedger, id})
	if err == nil && taken { // by another registrar, or by us when an answer was lost
		if l, err := s.findLedger(ctx, model); err != nil || l.run == id {
			return err
		}
		return s.client.deleteRun(ctx, id)
	}
	return err
}

// claim writes a param of the ledger if it isn't there. It returns what is
// there: the value, or that of whoever was first. The same value can be claimed
// again, so a call whose answer was lost is simply made again.
func (s *Store) claim(ctx context.Context, l ledger, key, val string) (there string, err error) {
	if len(val) > maxParam {
		return "", fmt.Errorf("%w: %d bytes to write down, at most %d are allowed: give a shorter reason", registry.ErrTooLarge, len(val), maxParam)
	}
	err = s.client.post(ctx, "runs/log-parameter", map[string]any{"run_id": l.run, "key": key, "value": val}, nil)
	var f *failure
	if err == nil || !errors.As(err, &f) || f.status != http.StatusBadRequest {
		return val, err
	}
	// It may be taken: the answer's text says so, but nothing that a program
	// should read.
	facts, lookErr := s.facts(ctx, l)
	if lookErr != nil {
		return "", lookErr
	}
	if there, ok := facts[key]; ok {
		return there, nil
	}
	return "", err
}

// facts reads the whole ledger.
func (s *Store) facts(ctx context.Context, l ledger) (map[string]string, error) {
	r, err := s.client.run(ctx, l.run)
	if err != nil {
		return nil, err
	}
	if r.Info.Lifecycle == "deleted" {
		return nil, fmt.Errorf("mlflow: %s: %w: run %s is deleted, and with it what numbers were given: restore it with `mlflow runs restore`",
			s.client.base, registry.ErrInvalid, l.run)
	}
	facts := make(map[string]string, len(r.Data.Params))
	for _, p := range r.Data.Params {
		facts[p.Key] = p.Value
	}
	return facts, nil
}

// Keys of the ledger.
const (
	factNumber = "number."
	factChange = "change."
)

func numberFact(n int64) string { return factNumber + strconv.FormatInt(n, 10) }

// changeFact names a change of a version. When a registered model is deleted in
// MLflow its numbers begin again for those who register there: the time tells
// two versions of one number apart.
func changeFact(v modelVersion, change int) string {
	return fmt.Sprintf("%s%d.%d.%06d", factChange, v.Version, v.Created, change)
}

// factVersion is the number in a fact's name.
func factVersion(name, prefix string) (int64, bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	rest, _, _ = strings.Cut(rest, ".")
	n, err := strconv.ParseInt(rest, 10, 64)
	return n, err == nil && n > 0
}

// newNonce is a name that nobody else gives.
func newNonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// wait passes some time.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
