package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of Leeway's kinds.
var GroupVersion = schema.GroupVersion{Group: "leeway.dev", Version: "v1alpha1"}

// AddToScheme makes ModelGuard and ModelDecision known to a client's scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &ModelGuard{}, &ModelGuardList{}, &ModelDecision{}, &ModelDecisionList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// Labels and annotations that Leeway reads and writes.
const (
	// LabelModel on a pod template names the model that the pods serve.
	LabelModel = "leeway.dev/model"
	// LabelVersion on a pod template is the version that the pods serve.
	LabelVersion = "leeway.dev/version"
	// AnnotationProfileDigest on a pod template is the digest of the only
	// profile that the sidecar takes as its reference.
	AnnotationProfileDigest = "leeway.dev/profile-digest"
	// AnnotationDecision on a workload is "<decision>/<step>", the last change
	// that Leeway made.
	AnnotationDecision = "leeway.dev/decision"
	// AnnotationApprovedBy on a decision is the name of who approves it.
	AnnotationApprovedBy = "leeway.dev/approved-by"
	// AnnotationArtifactDigest on a pod template is the SHA-256 of the artifact.
	AnnotationArtifactDigest = "leeway.dev/artifact-digest"
	// FieldManager owns the fields that Leeway applies.
	FieldManager = "leeway"
)
