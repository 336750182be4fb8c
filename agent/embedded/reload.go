package embedded

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"
	"go.uber.org/zap"
)

// reloader follows the rules directory.
type reloader struct {
	engine *Engine
	loader *loader
	tried  [sha256.Size]byte // of the files looked at last, good or bad

	mu      sync.Mutex
	refused error // of the files on disk; nil when they are in force
}

func (r *reloader) lastGood() string { return filepath.Join(r.engine.cfg.DataDir, "rules-last-good") }

// start reads the rules that are in force first: those of the directory or, when
// they are refused, the last ones that were good.
func (r *reloader) start() error {
	if r.engine.cfg.RulesDir == "" {
		return nil
	}
	err := r.look()
	if err == nil {
		return nil
	}
	files, lastErr := readRuleFiles(r.lastGood())
	if lastErr != nil {
		return err // nothing to fall back to
	}
	set, lastErr := files.parse(r.loader.parser, r.engine.slog)
	if lastErr != nil {
		return errors.Join(err, lastErr)
	}
	r.engine.log.Error("rule files refused; the last good ones are used", zap.Error(err))
	r.loader.set.Store(set)
	return nil
}

// look reads the directory and, when it changed, checks it and makes it what the
// manager loads next.
func (r *reloader) look() error {
	files, err := readRuleFiles(r.engine.cfg.RulesDir)
	if err != nil {
		return r.refuse(err)
	}
	if files.hash == r.tried {
		return nil
	}
	r.tried = files.hash
	set, err := files.parse(r.loader.parser, r.engine.slog)
	if err != nil {
		return r.refuse(err)
	}
	told, err := files.judge(r.engine.cfg)
	if err != nil {
		return r.refuse(err)
	}
	for _, finding := range told {
		r.engine.log.Warn("a rule to look at", zap.Stringer("finding", finding))
	}
	r.loader.set.Store(set)
	r.setRefused(nil)
	r.engine.metrics.reloads.WithLabelValues("ok").Inc()
	if err := files.save(r.lastGood()); err != nil {
		r.engine.log.Warn("rules are in force but not kept for a restart", zap.Error(err))
	}
	return nil
}

func (r *reloader) refuse(err error) error {
	first := r.Refused() == nil || r.Refused().Error() != err.Error()
	r.setRefused(err)
	if first {
		r.engine.metrics.reloads.WithLabelValues("refused").Inc()
		r.engine.log.Error("rule files refused; the old rules stay", zap.Error(err))
	}
	return err
}

func (r *reloader) setRefused(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = err
}

// Refused is why the files on disk are not in force; nil when they are.
func (r *reloader) Refused() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// apply makes the manager evaluate what look has found good.
func (r *reloader) apply(m *rules.Manager) error {
	set := r.loader.set.Load()
	if set == nil {
		return nil
	}
	cfg := r.engine.cfg
	r.engine.setLookback(set.slowest)
	return m.Update(cfg.EvaluationInterval, set.files.names, labels.EmptyLabels(), cfg.ExternalURL, nil)
}

// run polls until ctx ends. Polling, not watching: it works on every kind of
// mount, and a few kilobytes every some seconds are nothing.
func (r *reloader) run(ctx context.Context, m *rules.Manager) error {
	if r.engine.cfg.RulesDir == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(r.engine.cfg.RulesPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		before := r.loader.set.Load()
		if err := r.look(); err != nil {
			continue
		}
		if set := r.loader.set.Load(); set != before {
			if err := r.apply(m); err != nil {
				// What was checked did not load: keep the manager's view and say so.
				r.loader.set.Store(before)
				_ = r.refuse(err)
				continue
			}
			r.engine.log.Info("rules reloaded", zap.Strings("files", set.files.names))
		}
	}
}
