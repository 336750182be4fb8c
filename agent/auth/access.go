package auth

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/rules"
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
	return a.count("feedback", a.mayFeedback(ctx, namespace))
}

func (a *Authority) mayFeedback(ctx context.Context, namespace string) error {
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
// namespace: get, list or create. Leeway's own agents may read them: controllers
// all, a node agent single versions in the namespaces of the model pods on its
// node, which are those that it brings references to.
func (a *Authority) Versions(r *http.Request, namespace, verb string) error {
	return a.count("versions", a.mayVersions(r, namespace, verb))
}

func (a *Authority) mayVersions(r *http.Request, namespace, verb string) error {
	id, err := a.sender(r)
	switch {
	case err != nil:
		return err
	case id.role == controller && verb != "create":
		return nil
	case id.role == nodeAgent && verb == "get":
		if a.cfg.Pods == nil || a.cfg.Pods.on(id.Node, namespace) {
			return nil
		}
		return fmt.Errorf("%w: no model pod of namespace %q is on node %q, which the token is bound to", ErrForbidden, namespace, id.Node)
	}
	return a.allowed(r.Context(), id, right{verb: verb, resource: "modelversions", namespace: namespace})
}

// AdmitSeries says whether the request's sender may write a series. A node agent
// writes series of its own node, by the node that its token is bound to, and
// there of the pods that the API server knows to be on it (see admitNode), so an
// agent that was taken over can lie about its own pods and no others. A
// controller writes what its own pod says about itself.
//
// With ErrForeign and ErrUnknownPod it is that series alone that may not be
// written: whatever a pod chooses to export, its node's agent passes on. With
// ErrUnavailable it is to be sent again.
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
	if id.role == nodeAgent {
		return a.admitNode(ctx, id, series)
	}
	return nil
}

// admitNode holds a series of a node agent against what such agents have to say:
// of themselves what they export, of a sidecar what that may measure, with the
// labels of a pod that is there. References, labelled rows, decisions and the
// results of rules are the controllers' to tell, or else one node could have any
// model of the cluster judged by what it made up.
func (a *Authority) admitNode(ctx context.Context, id *Identity, series labels.Labels) error {
	metric := series.Get(model.MetricNameLabel)
	switch job := series.Get("job"); job {
	case "leeway-node":
		if series.Get("pod") != id.Pod || series.Has("namespace") || series.Has("model_name") || !ofNode(metric) {
			return fmt.Errorf("%w: not what a node agent says of itself: %s", ErrForeign, series)
		}
		return nil
	case "leeway-sidecar":
		if a.reserved[metric] || strings.ContainsRune(metric, ':') || strings.HasPrefix(metric, "ALERTS") {
			return fmt.Errorf("%w: %s is not a sidecar's to say; register the version, and the controllers export its reference", ErrForeign, metric)
		}
		if a.cfg.Pods == nil {
			return nil
		}
		return a.cfg.Pods.speaks(ctx, id.Node, series.Get("namespace"), series.Get("pod"), series.Get("model_name"), series.Get("model_version"))
	default:
		return fmt.Errorf("%w: job %q is none of a node agent's: %s", ErrForeign, job, series)
	}
}

func ofNode(metric string) bool {
	return strings.HasPrefix(metric, "leeway_node_") || strings.HasPrefix(metric, "process_")
}

// reserved are the series that controllers and node agents alone export.
func reserved() map[string]bool {
	names := map[string]bool{}
	for _, m := range rules.Catalogue() {
		if m.From == "sidecar" {
			continue
		}
		names[m.Name] = true
		if m.Kind == "histogram" {
			for _, part := range []string{"_bucket", "_count", "_sum"} {
				names[m.Name+part] = true
			}
		}
	}
	return names
}
