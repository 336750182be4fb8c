package agent

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// nodeToken confirms any token as that of the agent on node n1.
type nodeToken struct{}

func (nodeToken) Create(_ context.Context, r *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	r.Status = authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: r.Spec.Audiences, User: authenticationv1.UserInfo{
		Username: "system:serviceaccount:leeway-system:leeway-node",
		Extra: map[string]authenticationv1.ExtraValue{
			"authentication.kubernetes.io/node-name": {"n1"}, "authentication.kubernetes.io/pod-name": {"leeway-node-a"},
		},
	}}
	return r, nil
}

// The engine refuses a series, or the request, or has it sent again, as the
// authority means it.
func TestAdmit(t *testing.T) {
	pods := auth.NewPods(auth.PodsConfig{})
	authority, err := auth.New(auth.Config{Tokens: nodeToken{}, Pods: pods})
	if err != nil {
		t.Fatal(err)
	}
	r := &controller{authority: authority, pods: pods}
	pods.Handler().OnAdd(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: "churn-a", Labels: map[string]string{v1alpha1.LabelModel: "churn"}},
		Spec:       corev1.PodSpec{NodeName: "n1"},
	}, true)
	req := httptest.NewRequest(http.MethodPost, "/", nil)
	req.Header.Set("Authorization", "Bearer x")
	ran := false
	authority.Writes(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		ran = true
		for _, c := range []struct {
			name, metric, node, pod string
			is                      []error
			not                     []error
		}{
			{"its own", "up", "n1", "churn-a", nil, nil},
			{"another node's", "up", "n2", "churn-b", []error{auth.ErrForbidden}, []error{embedded.ErrSeries, embedded.ErrLater}},
			{"a controller's", "leeway_feedback_rows_total", "n1", "churn-a", []error{embedded.ErrSeries}, []error{embedded.ErrNewSeries, embedded.ErrLater}},
			{"a pod's that may be new", "up", "n1", "churn-z", []error{embedded.ErrNewSeries, embedded.ErrLater}, nil},
		} {
			err := r.admit(req.Context(), labels.FromStrings("__name__", c.metric, "job", "leeway-sidecar", "node", c.node, "namespace", "ml", "pod", c.pod))
			if (err == nil) != (c.is == nil) {
				t.Errorf("%s: %v", c.name, err)
			}
			for _, is := range c.is {
				if !errors.Is(err, is) {
					t.Errorf("%s: %v is not %v", c.name, err, is)
				}
			}
			for _, not := range c.not {
				if errors.Is(err, not) {
					t.Errorf("%s: %v is %v", c.name, err, not)
				}
			}
		}
	})).ServeHTTP(httptest.NewRecorder(), req)
	if !ran {
		t.Fatal("the token was refused")
	}
}
