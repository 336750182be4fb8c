// Package kube keeps versions as ModelVersion objects, named "<model>-<n>", in
// one namespace: a registry without another server.
//
// Numbers. An object's name is free again when the object is deleted, so the
// API server alone can't promise that a number is given once. The highest
// number given, per model, is therefore kept beside the versions in the
// ConfigMap "leeway-numbers", and raised by compare-and-swap before the object
// is created; creating the object, which fails when the name is taken, stays
// the proof. The same entry holds the numbers given for decisions whose version
// is not there yet, so that a Job that died between the two steps, or runs
// twice at once, registers once.
//
// It is one ConfigMap with a fixed name so that a registrar's rights can be as
// small as possible: create, get and list modelversions, and get and update of
// configmaps with the resourceName leeway-numbers. Where nobody has made the
// ConfigMap, a registrar that may create configmaps makes it.
//
// Lifecycles are in the status, and are changed against the resource version
// that was read. Profiles lie in the object, compressed, which the API server's
// limit bounds: beyond it a version is refused with an error that names s3:.
package kube
