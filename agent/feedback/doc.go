// Package feedback takes the truth about past predictions and counts it.
//
// Whoever knows what really happened posts rows of what was predicted and what
// was true; the counters that come of it are what the quality rules divide. They
// are ordinary counters of the replica that took the rows, with its pod as a
// label, and go into the TSDB of every replica. So any replica may take rows, and
// none has to tell another: the rules sum over the replicas, and a replica that
// dies loses no more than a counter reset.
//
// A row is one of:
//
//	{"namespace": "ml", "model": "eta", "version": "3", "predicted": 12.5, "actual": 14}
//	{"namespace": "ml", "model": "spam", "version": 3, "predicted": "ham", "actual": "spam", "time": "2026-01-02T15:04:05Z"}
//
// Numbers are a regression, strings (and booleans) a classification. The time is
// that of the prediction and optional. A body is an array of rows, {"rows": […]},
// or one row a line. Rows that are wrong are reported by their index; the others
// count.
package feedback
