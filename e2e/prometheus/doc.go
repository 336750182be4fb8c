// Package prometheus runs the shipped rules in Leeway's embedded engine, in
// Debian's Prometheus, years older than the library inside Leeway, and in
// VictoriaMetrics with vmalert, on the same samples at the same time, and
// compares what they say and what is decided on it. It needs no cluster.
package prometheus
