package main

import (
	"context"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// release deploys a version as a person would, and plays the rollout.
func (f *fleet) release(ctx context.Context, m *model, version string) error {
	deployments := f.s.kube.AppsV1().Deployments(m.namespace)
	for {
		d, err := deployments.Get(ctx, m.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		d.Spec.Template = f.deployment(m, version).Spec.Template
		_, err = deployments.Update(ctx, d, metav1.UpdateOptions{FieldManager: releaseManager})
		if !apierrors.IsConflict(err) {
			return err
		}
	}
}

// roll plays the controller of Deployments: pods are relabelled, not made anew. It
// looks at changes until ctx ends.
func (f *fleet) roll(ctx context.Context) error {
	byName := map[string]*model{}
	for _, m := range f.models {
		byName[m.namespace+"/"+m.name] = m
	}
	w, err := f.s.kube.AppsV1().Deployments("").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	defer w.Stop()
	var rolls sync.WaitGroup
	defer rolls.Wait()
	for event := range w.ResultChan() {
		d, ok := event.Object.(*appsv1.Deployment)
		if !ok || d.Status.ObservedGeneration >= d.Generation {
			continue
		}
		rolls.Go(func() {
			if err := f.rollOne(ctx, byName[d.Namespace+"/"+d.Name], d); err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) {
				f.s.say("rollout of %s: %v", d.Name, err)
			}
		})
	}
	return ctx.Err()
}

func (f *fleet) rollOne(ctx context.Context, m *model, d *appsv1.Deployment) error {
	version := d.Spec.Template.Labels[versionLabel]
	f.mu.Lock()
	changed := m.version != version
	if changed {
		m.version = version
		for i, p := range m.pods {
			f.play(p, uint64(i)+uint64(d.Generation)<<32)
			p.serves.at = f.sinceStart()
		}
	}
	f.mu.Unlock()
	if changed {
		for _, p := range m.pods {
			pod, err := f.s.kube.CoreV1().Pods(m.namespace).Get(ctx, p.name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			pod.Labels = podLabels(m, version)
			if pod, err = f.s.kube.CoreV1().Pods(m.namespace).Update(ctx, pod, metav1.UpdateOptions{}); err != nil {
				return err
			}
			for i := range pod.Status.Conditions {
				pod.Status.Conditions[i].LastTransitionTime = metav1.Now()
			}
			if _, err = f.s.kube.CoreV1().Pods(m.namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
				return err
			}
		}
	}
	now, err := f.s.kube.AppsV1().Deployments(m.namespace).Get(ctx, m.name, metav1.GetOptions{})
	if err != nil || now.Generation != d.Generation {
		return err
	}
	return f.rolledOut(ctx, m, now)
}

// sinceStart is the time that sidecars have, of the first pod; f.mu is held.
func (f *fleet) sinceStart() float64 {
	most := 0.0
	for _, pods := range f.nodes {
		for _, p := range pods {
			most = max(most, p.serves.at)
		}
	}
	return most
}
