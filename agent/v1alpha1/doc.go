// Package v1alpha1 holds ModelGuard, the policy by which Leeway watches one
// workload, and ModelDecision, the record of one thing that it decided.
//
// +kubebuilder:object:generate=true
// +groupName=leeway.dev
package v1alpha1
