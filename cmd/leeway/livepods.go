package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry/profile"
)

// livePods says which pods are asked for their live profiles, and for what.
type livePods struct {
	selector, version string
	window, timeout   time.Duration
}

// adminPort is where a sidecar answers.
const adminPort = "9095"

// fetchLive asks all pods at once. Those that can't be read are named.
func (a *app) fetchLive(ctx context.Context, model string, o livePods) ([]*profile.Profile, error) {
	config, namespace, err := a.config()
	if err != nil {
		return nil, err
	}
	config.Timeout = max(config.Timeout, o.timeout)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	pods, err := o.list(ctx, client, namespace, model)
	if err != nil {
		return nil, err
	}
	got, errs := make([]*profile.Profile, len(pods)), make([]error, len(pods))
	var g errgroup.Group
	g.SetLimit(16)
	for i := range pods {
		g.Go(func() error {
			got[i], errs[i] = o.fetch(ctx, client, &pods[i])
			return nil
		})
	}
	_ = g.Wait()
	var live []*profile.Profile
	for i, err := range errs {
		switch {
		case apierrors.IsForbidden(err):
			return nil, fmt.Errorf("namespace %s: you may not \"get pods/proxy\", which reading live profiles needs: %w",
				namespace, err)
		case err != nil:
			a.note("pod %s is left out: %v", pods[i].Name, err)
		default:
			live = append(live, got[i])
		}
	}
	if len(live) == 0 {
		return nil, fmt.Errorf("none of the %d pods in namespace %s could be read", len(pods), namespace)
	}
	a.note("%d of %d pods in namespace %s were read", len(live), len(pods), namespace)
	return live, nil
}

// list returns the pods of one version. Rows of two versions are not mixed.
func (o livePods) list(ctx context.Context, c kubernetes.Interface, namespace, model string) ([]corev1.Pod, error) {
	selector := o.selector
	if selector == "" {
		selector = v1alpha1.LabelModel + "=" + model
	}
	if o.version != "" {
		selector += "," + v1alpha1.LabelVersion + "=" + o.version
	}
	list, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("namespace %s: you may not list pods: %w", namespace, err)
	}
	if err != nil {
		return nil, fmt.Errorf("pods of namespace %s: %w", namespace, err)
	}
	var pods []corev1.Pod
	versions := map[string]bool{}
	for _, pod := range list.Items {
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		pods = append(pods, pod)
		versions[strconv.Quote(pod.Labels[v1alpha1.LabelVersion])] = true
	}
	if len(pods) == 0 {
		return nil, fmt.Errorf("namespace %s has no pods with %s", namespace, selector)
	}
	if len(versions) > 1 {
		return nil, fmt.Errorf("there are pods of several versions (%s): choose one with --pod-version, or --selector",
			strings.Join(slices.Sorted(maps.Keys(versions)), ", "))
	}
	return pods, nil
}

// errNothing is what a sidecar's 404 means. It may also be too old to learn.
var errNothing = errors.New("nothing to adopt: no reference, and no request with names was read, or it does not learn")

// fetch reads the live profile of a pod through the API server.
func (o livePods) fetch(ctx context.Context, c kubernetes.Interface, pod *corev1.Pod) (*profile.Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	body, err := c.CoreV1().RESTClient().Get().
		Namespace(pod.Namespace).Resource("pods").Name("http:"+pod.Name+":"+adminPort).SubResource("proxy").Suffix("profile").
		Param("window", o.window.String()).Param("learned", "true").Stream(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("no answer within %v", o.timeout)
	case apierrors.IsNotFound(err):
		return nil, errNothing
	case err != nil:
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, profile.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	return profile.Parse(b)
}
