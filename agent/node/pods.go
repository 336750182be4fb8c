package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// ModelLabel is on every pod that serves a model.
const ModelLabel = "leeway.dev/model"

// PodAPI is what the agent asks of the API server: pods of all namespaces.
type PodAPI interface {
	List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// settle is how long a change of pods is waited for to be followed by others, so
// that a rollout is a few updates and not hundreds.
const settle = 100 * time.Millisecond

// watchPods calls update with all model pods of the node, in order of namespace
// and name, at the start and after every change, until ctx ends.
func watchPods(ctx context.Context, api PodAPI, node string, update func([]*corev1.Pod)) error {
	narrow := func(o *metav1.ListOptions) {
		o.LabelSelector = ModelLabel
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", node).String()
	}
	listWatch := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			narrow(&o)
			return api.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			narrow(&o)
			return api.Watch(ctx, o)
		},
	}, api)
	informer := cache.NewSharedIndexInformer(listWatch, &corev1.Pod{}, 0, cache.Indexers{})
	if err := informer.SetTransform(trimPod); err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notify() },
		UpdateFunc: func(any, any) { notify() },
		DeleteFunc: func(any) { notify() },
	}); err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	done := make(chan struct{})
	go func() {
		informer.RunWithContext(ctx)
		close(done)
	}()
	defer func() { <-done }()
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return ctx.Err()
	}
	notify()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settle):
		}
		update(modelPods(informer.GetStore(), node))
	}
}

// trimPod keeps of a pod what is used here; a pod is some kilobytes otherwise.
func trimPod(obj any) (any, error) {
	if pod, ok := obj.(*corev1.Pod); ok {
		pod.ManagedFields = nil
		pod.Spec.Volumes = nil
	}
	return obj, nil
}

func modelPods(store cache.Store, node string) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, obj := range store.List() {
		pod, ok := obj.(*corev1.Pod)
		if ok && pod.Spec.NodeName == node && pod.Labels[ModelLabel] != "" {
			pods = append(pods, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		if c := strings.Compare(a.Namespace, b.Namespace); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return pods
}
