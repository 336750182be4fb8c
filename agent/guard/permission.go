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
		allowed bool
		until   time.Time
	}
	var mu sync.Mutex
	answers := map[string]answer{}
	return func(ctx context.Context, namespace string) (bool, error) {
		t := now()
		mu.Lock()
		a, ok := answers[namespace]
		mu.Unlock()
		if ok && t.Before(a.until) {
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
		mu.Lock()
		defer mu.Unlock()
		answers[namespace] = answer{review.Status.Allowed, t.Add(permissionFor)}
		return review.Status.Allowed, nil
	}
}

const permissionFor = 10 * time.Second
