package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of Leeway's kinds.
var GroupVersion = schema.GroupVersion{Group: "leeway.dev", Version: "v1alpha1"}

// AddToScheme makes ModelVersion known to a client's scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &ModelVersion{}, &ModelVersionList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
