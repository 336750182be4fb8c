// Package reference exports what the versions in use were trained on, for the
// rules to compare live data with.
//
// The sidecars count live values into the bins of their version's profile; these
// metrics say how the training data lies in the same bins. They are exported
// once per version and by the controllers, not by every pod: a hundred pods
// would repeat the same thousand series. Every replica exports the versions that
// it is told are in use; the rules take the maximum over the replicas, which say
// the same.
package reference
