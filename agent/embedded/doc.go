// Package embedded is the Prometheus inside a controller replica: a TSDB, the
// receiver of what the node agents push, the PromQL engine, the rule manager and
// the notifier, all of them Prometheus' own code.
//
// Both replicas run one each, on the same samples. So the replica that takes over
// has the windows and the `for` states already, and nothing is handed over.
//
// # Delay
//
// Samples come by push: one was scraped up to a scrape interval ago and was on
// its way for some tens of milliseconds. Rules are evaluated at now, without an
// offset: windows end with the newest sample that is there, and `increase`
// extrapolates over the last piece. That costs up to one scrape interval of
// freshness and nothing else, because rules never compare series of which one is
// newer than the other by design. A group whose window is only a few scrapes long
// may set query_offset; the engine honours it.
//
// # Lookback
//
// An instant selector sees a sample for 20 evaluation intervals (1 s: 20 s) or
// three intervals of the slowest rule group, whichever is longer, but for no more
// than the 5 m of any Prometheus. Where everything runs every second, an agent
// that is gone is so noticed within seconds and not after five minutes.
package embedded
