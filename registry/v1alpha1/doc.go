// Package v1alpha1 holds ModelVersion, the Kubernetes form of one registered
// version of a model: the registry's record of date : metadata : model.
//
// A version's spec never changes once it is created; what does change, its
// lifecycle, is in the status and leaves an audit line.
//
// +kubebuilder:object:generate=true
// +groupName=leeway.dev
package v1alpha1
