package main

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// guarded are the versions of a model that guards have served or are about to,
// with why. Only of kube: it is known where the guards are: in its namespace.
// That they can't be read is an error: one of them may need a version tonight.
func (a *app) guarded(ctx context.Context, model string) (map[int64]string, error) {
	namespace, ok := strings.CutPrefix(a.storeURI, "kube:")
	if !ok {
		return nil, nil
	}
	k, _, err := a.cluster.connect()
	if err != nil {
		return nil, err
	}
	inUse := map[int64]string{}
	note := func(version, why string, args ...any) {
		if n, err := registry.ParseNumber(version); err == nil && inUse[n] == "" {
			inUse[n] = fmt.Sprintf(why, args...)
		}
	}
	var guards v1alpha1.ModelGuardList
	if err := k.List(ctx, &guards, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("which versions the guards of namespace %s need can't be known: %w", namespace, err)
	}
	for _, g := range guards.Items {
		if g.Spec.Model != model {
			continue
		}
		note(g.Status.ActiveVersion, "guard %s serves it", g.Name)
		for _, stay := range g.Status.History {
			note(stay.Version, "guard %s served it", g.Name)
		}
		if g.Status.Retrain != nil {
			note(g.Status.Retrain.Version, "guard %s had it trained", g.Name)
		}
	}
	var decisions v1alpha1.ModelDecisionList
	if err := k.List(ctx, &decisions, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("which versions the decisions of namespace %s are about can't be known: %w", namespace, err)
	}
	for _, d := range decisions.Items {
		if d.Spec.Model == model && journal.Open(&d) {
			note(d.Spec.To, "decision %s chose it", d.Name)
			note(d.Spec.From, "decision %s may go back to it", d.Name)
		}
	}
	return inUse, nil
}
