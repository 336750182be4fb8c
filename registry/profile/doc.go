// Package profile describes data: which columns there are, how their values
// are spread, and how far two such descriptions lie apart.
//
// A training profile is made once from the rows that a version was trained on
// (by registry/dataset, of NumberColumn and CategoryColumn); it holds exact bin counts, which are the reference that live
// counters are compared with. A live profile is made by a sidecar while it
// watches traffic (Recorder); it holds sketches and category counts, so that
// the profiles of many pods merge (Merge) and can be laid over the bins of any
// version (Compare), also of versions that the pods have never heard of.
//
// The package knows nothing of Kubernetes, Prometheus or files: it
// is linked into the sidecar, which must stay small, and into everything that
// reasons about versions, which must agree on every number to the last bit.
// The format is documented in docs/profile-format.md.
package profile
