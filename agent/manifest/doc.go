// Package manifest writes a version of a model into the manifest of its workload,
// for people whose changes go through Git. The text is edited where the model's
// fields are; comments, order and style of all the rest stay as they were written,
// so that the diff shows the change and nothing else.
package manifest
