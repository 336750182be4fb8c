package agent

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/reference"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// versionsInUse keeps the exporter of references to the versions that pods
// serve: a version is looked up once, when the first pod with it appears.
type versionsInUse struct {
	client.Client
	store    func(namespace string) (registry.Store, error)
	exporter *reference.Exporter
	log      *zap.Logger
	exported map[reference.Version]bool
	retry    map[reference.Version]time.Time // versions that could not be read
}

const (
	lookEvery  = time.Second
	retryAfter = 10 * time.Second
)

// +kubebuilder:rbac:groups=leeway.dev,resources=modelversions,verbs=get;list,roleName=leeway-controller
// +kubebuilder:rbac:groups=leeway.dev,resources=modelversions/status,verbs=get;update,roleName=leeway-controller

// run looks every second, in the cache, until ctx ends.
func (s *versionsInUse) run(ctx context.Context) error {
	s.exported, s.retry = map[reference.Version]bool{}, map[reference.Version]time.Time{}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.look(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.Warn("cannot tell which versions are in use", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *versionsInUse) look(ctx context.Context, now time.Time) error {
	var pods corev1.PodList
	if err := s.List(ctx, &pods, client.HasLabels{v1alpha1.LabelModel, v1alpha1.LabelVersion}); err != nil {
		return err
	}
	seen := map[reference.Version]bool{}
	for _, p := range pods.Items {
		seen[reference.Version{Namespace: p.Namespace, Model: p.Labels[v1alpha1.LabelModel], Version: p.Labels[v1alpha1.LabelVersion]}] = true
	}
	for v := range s.exported {
		if !seen[v] {
			s.exporter.Remove(v)
			delete(s.exported, v)
		}
	}
	for v := range s.retry {
		if !seen[v] {
			delete(s.retry, v)
		}
	}
	for v := range seen {
		if !s.exported[v] && now.After(s.retry[v]) {
			if err := s.export(ctx, v); err != nil {
				s.retry[v] = now.Add(retryAfter)
				s.log.Info("no reference for a version in use", zap.String("namespace", v.Namespace),
					zap.String("model", v.Model), zap.String("version", v.Version), zap.Error(err))
			}
		}
	}
	return nil
}

func (s *versionsInUse) export(ctx context.Context, v reference.Version) error {
	number, err := registry.ParseNumber(v.Version)
	if err != nil {
		return err
	}
	store, err := s.store(v.Namespace)
	if err != nil {
		return err
	}
	version, err := store.Get(ctx, v.Model, number)
	if err != nil {
		return err
	}
	p, _, err := version.Profile()
	if err != nil && !errors.Is(err, registry.ErrNoProfile) {
		return err
	}
	metrics := map[string]float64{}
	for name, value := range version.Spec.Metrics {
		if x, err := strconv.ParseFloat(value, 64); err == nil {
			metrics[name] = x
		}
	}
	facts := reference.Facts{Metrics: metrics}
	if until := version.Spec.Dataset.To; until != nil {
		facts.DataUntil = until.Time
	}
	s.exporter.Set(v, p, facts)
	s.exported[v] = true
	return nil
}
