// Package buffer is a bounded log of outgoing requests on disk, with a position
// of its own for every reader.
//
// It stands between the scrapes and the controllers. A controller replica that
// is away for a while reads on from where it was; the others are not held up by
// it. What is stored is the finished request body, so sending again costs no
// encoding, and what is resent is the same to the byte.
//
// The log is a row of segment files. A restart begins a new segment instead of
// repairing the last one, and nothing is synced: the directory is an emptyDir,
// which outlives a crash of the process but not of the node. Whole segments are
// dropped when they are older than MaxAge or when the log exceeds MaxBytes;
// what a reader had not read by then is counted, per reader.
package buffer
