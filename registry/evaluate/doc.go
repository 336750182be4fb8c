// Package evaluate measures versions of a model by what they predicted for rows
// whose truth is known. A training program need not know how Leeway measures,
// nor agree with the one before on it: it writes what each version says of each
// held-out row, and every error of every version comes from the same code.
//
// The file is CSV with a header:
//
//	actual      the truth; needed
//	self        what the version that is being registered predicted
//	1, 2, v3 …  what registered versions predicted
//	dataset     the name of the data set that the row belongs to
//	time        when the row was, in order to know what time labels span
//
// A version whose column is empty in every row of a data set was not evaluated
// on it. Empty in some rows is an error: versions that were measured on
// different rows can't be compared.
//
// Compare holds versions against one of them, row by row, with the standard error of
// how much less each loses: what a decision to change versions needs to know.
package evaluate
