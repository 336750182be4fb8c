// Package incidents makes up incidents of known cause, has the rules and the
// decisions meet them, and says how often the diagnosis was right.
//
// A scene is one or more models with their versions, their traffic and what goes
// wrong, all drawn from a seed: columns, rates, releases, times and sizes. What
// sidecars would count of it is scraped into the storage of a backtest, which
// evaluates the shipped rules in Prometheus' own engine and judges by the code
// that judges live. So whatever is wrong with an answer is wrong with the rules
// or with the decisions, and the same seed shows it again.
//
// Time is short: an agent that scrapes every second, and windows of seconds to a
// minute, as in the demo. What needs days of history (clustering measured, last
// week) is off.
package incidents
