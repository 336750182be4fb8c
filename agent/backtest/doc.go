// Package backtest replays the rules and the decisions on history: which alerts
// there would have been, what would have been diagnosed, and what done.
//
// Samples of the past come from a History and go, step by step, into the storage
// of an embedded.Replay, which evaluates the rules at the times of the samples.
// What is decided comes of the code that decides live: package evidence reads
// what the judgement rests on, package decide judges. What the past does not
// hold is not made up: where live rows are known as bin counts only, what is said
// of other versions' bins is marked as approximate.
//
// Memory is bounded whatever the length of history: samples are read in parts,
// the storage keeps as much as a controller does, and curves have a fixed number
// of points.
package backtest
