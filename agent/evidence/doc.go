// Package evidence reads what a judgement rests on, and writes down what came of
// it: from alerts, a source of metrics, the registry and a guard's history to the
// arguments of package decide, and from there to the record.
//
// The loop of the leader uses it on what is, a backtest on what was: so what a
// backtest says would have been decided comes of the code that decides. It knows
// no cluster. Whoever uses it says what is served, and since when.
package evidence
