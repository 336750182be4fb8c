package auth

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// right is one thing to be allowed to do.
type right struct{ verb, resource, subresource, namespace string }

func (r right) String() string {
	what := r.resource + "." + Group
	if r.subresource != "" {
		what = r.resource + "/" + r.subresource + "." + Group
	}
	if r.namespace == "" {
		return fmt.Sprintf("%s %s in all namespaces", r.verb, what)
	}
	return fmt.Sprintf("%s %s in namespace %s", r.verb, what, r.namespace)
}

type accessKey struct {
	user, uid, groups string
	right             right
}

// allowed asks for one right.
func (a *Authority) allowed(ctx context.Context, id *Identity, r right) error {
	key := accessKey{id.User, id.UID, strings.Join(id.Groups, "\x00"), r}
	ok, known, fresh := a.access.get(key, a.cfg.Now())
	if !fresh {
		got, err := a.reviewAccess(ctx, id, r)
		switch {
		case err == nil:
			if ok = got; ok {
				a.access.put(key, true, a.cfg.Now(), a.cfg.Fresh, a.cfg.Keep)
			} else {
				a.access.put(key, false, a.cfg.Now(), refusedFor, 0)
			}
		case !known:
			return fmt.Errorf("%w: access review: %w", ErrUnavailable, err)
		}
	}
	if !ok {
		return fmt.Errorf("%w: %s may not %s", ErrForbidden, id.User, r)
	}
	return nil
}

func (a *Authority) reviewAccess(ctx context.Context, id *Identity, r right) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	extra := make(map[string]authorizationv1.ExtraValue, len(id.extra))
	for k, v := range id.extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	res, err := a.cfg.Access.Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: id.User, UID: id.UID, Groups: id.Groups, Extra: extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: Group, Verb: r.verb, Resource: r.resource, Subresource: r.subresource, Namespace: r.namespace,
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return res.Status.Allowed && !res.Status.Denied, nil
}

// Feedback says whether the request's sender may send labels for a namespace.
func (a *Authority) Feedback(ctx context.Context, namespace string) error {
	id, err := identity(ctx)
	if err != nil {
		return err
	}
	if namespace == "" {
		return fmt.Errorf("%w: a row without a namespace", ErrForbidden)
	}
	return a.allowed(ctx, id, right{"create", "modelguards", "feedback", namespace})
}

// Versions says whether a request's sender may do something to the versions of a
// namespace: get, list or create. Leeway's own agents may read them all.
func (a *Authority) Versions(r *http.Request, namespace, verb string) error {
	id, err := a.sender(r)
	if err != nil {
		return err
	}
	if id.role != outsider && verb != "create" {
		return nil
	}
	return a.allowed(r.Context(), id, right{verb: verb, resource: "modelversions", namespace: namespace})
}

// AdmitSeries says whether the request's sender may write a series. A node agent
// writes series of its own node, by the node that its token is bound to, so an
// agent that was taken over can lie about its own pods and no others. A
// controller writes what its own pod says about itself.
func (a *Authority) AdmitSeries(ctx context.Context, series labels.Labels) error {
	id, err := identity(ctx)
	if err != nil {
		return err
	}
	name, bound := "", ""
	switch id.role {
	case nodeAgent:
		name, bound = "node", id.Node
	case controller:
		name, bound = "pod", id.Pod
	default:
		return fmt.Errorf("%w: %s is not one of Leeway's agents and may not write samples", ErrForbidden, id.User)
	}
	if bound == "" {
		return fmt.Errorf("%w: the token of %s is not bound to a pod; use a projected service account token", ErrForbidden, id.User)
	}
	if got := series.Get(name); got != bound {
		return fmt.Errorf("%w: the token is bound to %s %q, the series has %s=%q: %s", ErrForbidden, name, bound, name, got, series)
	}
	return nil
}
