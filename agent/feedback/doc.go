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
//	{"namespace": "ml", "model": "spam", "version": 3, "predicted": true, "actual": false, "time": "2026-01-02T15:04:05Z"}
//	{"namespace": "ml", "receipt": "1.spam.3.mjx08awe.z", "predicted": "ham", "actual": "spam", "weight": 10}
//
// Numbers are a regression, strings (and booleans) a classification. The time is
// that of the prediction and optional. A receipt (package registry/receipt) says
// model, version and time. The weight, 1 by default, multiplies what is counted:
// it is for samples, where one row stands for many. It makes a row no more
// certain, but the rules take it for that many rows.
//
// A body is JSON (an array of rows, {"rows": […]}, or one row a line), or CSV with
// a header, either of them gzip too. It is read row by row and kept as the rows
// that were understood, and only a body that came whole is counted: one that
// breaks off may be sent again. Rows that are wrong are reported by their index;
// the others count.
//
// Rows are counted at least once. A replica knows the receipts of the last ten
// minutes and counts none of them twice, so an answer that was lost costs nothing
// when the rows have receipts and the same replica is asked again soon; else they
// are counted twice. Exactly once would need a store that all replicas agree on
// before they answer, for an error rate that does not move by it.
package feedback
