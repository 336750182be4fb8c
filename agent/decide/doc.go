// Package decide holds the judgement of Leeway and nothing else: which alerts
// count, what the cause is, which version to go back to, whether the limits
// allow it, and whether a change made things better or worse.
//
// It is pure. Everything that a decision rests on is an argument, time
// included, so that a decision can be made again from its record alone, on a
// laptop, with the same outcome. Whoever adds I/O here takes that away.
package decide
