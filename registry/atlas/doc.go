// Package atlas predicts how wrong each version of a model is on data that has
// no labels yet, from how wrong the versions were on data sets that had some.
//
// E[i, j] is the error of version i on the held-out rows of data set j. Today's
// error is read from the data sets that look like today: a mean of ln E over j,
// weighted by a kernel of the distance. How wide the kernel is, and whether the
// distance tells anything about this model at all, is learned by leaving data
// sets out: predict the order of the versions on a data set from the others,
// and compare with what it was. Where that explains less than a quarter of what
// the plain mean leaves (the gate is closed), inputs don't order the versions of
// this model, and nobody should switch by them.
//
// The package is pure: it knows versions and data sets by number, and gets the
// distances from its caller. Everything is in logarithms, so that the unit of an
// error does not matter, and only differences between versions count.
package atlas
