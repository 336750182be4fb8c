// Package rules says when something is wrong with a model: it renders the
// Prometheus rule files that Leeway ships, from one small values file.
//
// The rules are plain PromQL on plain counters, so that any Prometheus
// compatible engine can evaluate them, and a person can read why an alert
// fired. They are rendered, not templated by hand, because their windows,
// budgets and critical values hang together: the text for a window of an hour
// and of ten seconds is the same text with other numbers, and the critical
// value follows from the false alarms that are allowed. The files beside this
// one are the output for the default values (see [Files]); a test keeps them
// so.
//
// Statistics, and where they come from, are in docs/statistics.md.
package rules
