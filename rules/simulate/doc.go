// Package simulate says how often the drift rules fire, and how soon, without a
// single row: only the counts of bins are drawn, which is all that the rules
// see. So a false alarm that comes once in a million windows can be measured in
// seconds.
//
// The formulas are those of the rules; a test in the package above holds them
// against the rendered PromQL in Prometheus' own engine. Two ways of counting
// false alarms check each other: [Palm] draws windows that are nearly alarms,
// and weighs them; [Stream] lets time pass.
package simulate
