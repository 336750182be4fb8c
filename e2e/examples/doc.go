// Package examples tests what stands in the folder examples with the programs
// that it is for.
package examples
