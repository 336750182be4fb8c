package kube

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// component is who says so in events.
const component = "leeway"

// tell leaves an event of a change on the object, for those who look there. The
// change is in the audit trail already: who may make it need not have the right
// to create events, and whether this works changes nothing.
func (s *Store) tell(ctx context.Context, o *v1alpha1.ModelVersion, line v1alpha1.AuditLine) {
	kind := corev1.EventTypeNormal
	if line.To == v1alpha1.Rejected {
		kind = corev1.EventTypeWarning
	}
	at := metav1.NewTime(line.Time.Time)
	_ = s.client.Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: o.Name + "." + strconv.FormatInt(line.Time.UnixNano(), 16)},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "ModelVersion",
			Namespace: s.namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion,
		},
		Type: kind, Reason: strings.ToUpper(string(line.To[:1])) + string(line.To[1:]),
		Message:        fmt.Sprintf("%s, was %s; by %s: %s", line.To, line.From, line.By, line.Reason),
		Source:         corev1.EventSource{Component: component},
		FirstTimestamp: at, LastTimestamp: at, Count: 1,
	})
}
