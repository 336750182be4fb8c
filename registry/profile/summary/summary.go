// Package summary turns values that are no scalars into columns of numbers: a vector into its norm and eight random
// projections, an image or audio into its size. Bins, sketches and distances then work on these as on any other column,
// and their number does not grow with the length of a vector.
//
// Training data are summarised where a profile is made, live data in the sidecar. They compare only if both agree to the
// last bit, so all of it is here: names, signs, and the order in which is added up. docs/profile-format.md has the same
// in words, for who makes a profile by other means.
package summary

import "strings"

// Projections is how many projections a vector is summarised by.
const Projections = 8

// The columns that a value may be summarised by, by their index: a vector has Norm to Size−1, an image or audio Size.
const (
	Norm    = 0
	First   = 1 // of the projections
	Size    = First + Projections
	Columns = Size + 1
)

// Highest is the name of a column of predictions: of each row the highest of its class probabilities.
const Highest = "[highest]"

var suffixes = [Columns]string{"[norm]", "[p0]", "[p1]", "[p2]", "[p3]", "[p4]", "[p5]", "[p6]", "[p7]", "[size]"}

// Suffix is what stands behind the name of a value in that of a column: "[norm]", "[p0]" to "[p7]", "[size]".
func Suffix(column int) string { return suffixes[column] }

// Split takes the name of a column apart: that of the value which it summarises, and which of its columns it is.
func Split(name string) (value string, column int, ok bool) {
	for i, suffix := range suffixes {
		if value, ok = strings.CutSuffix(name, suffix); ok && value != "" {
			return value, i, true
		}
	}
	return "", 0, false
}
