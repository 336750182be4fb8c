package guard

import (
	"context"
	"fmt"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=selfsubjectaccessreviews,verbs=create,roleName=leeway-controller

// Permission asks the API server whether Leeway may patch the Deployments of a
// namespace, and believes an answer for a while: deleting the RoleBinding is
// the off-switch, and has to work within seconds.
func Permission(c client.Writer, now func() time.Time) func(ctx context.Context, namespace string) (bool, error) {
	type answer struct {
		mu      sync.Mutex // held while it is asked for: all guards of a namespace ask at once
		allowed bool
		until   time.Time
	}
	var mu sync.Mutex
	answers := map[string]*answer{}
	of := func(namespace string) *answer {
		mu.Lock()
		defer mu.Unlock()
		if answers[namespace] == nil {
			answers[namespace] = &answer{}
		}
		return answers[namespace]
	}
	return func(ctx context.Context, namespace string) (bool, error) {
		a := of(namespace)
		a.mu.Lock()
		defer a.mu.Unlock()
		t := now()
		if t.Before(a.until) {
			return a.allowed, nil
		}
		review := authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: "patch", Group: "apps", Resource: "deployments",
			},
		}}
		if err := c.Create(ctx, &review); err != nil {
			return false, fmt.Errorf("ask whether workloads of namespace %s may be patched: %w", namespace, err)
		}
		a.allowed, a.until = review.Status.Allowed, t.Add(permissionFor)
		return a.allowed, nil
	}
}

const permissionFor = 10 * time.Second
