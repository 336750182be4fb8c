// Package scorecard holds what Leeway proposed against what people did, from a
// guard's decisions and the history of its workload. That is how trust is earned:
// under Observe it costs nothing to be wrong, and the card says how often it was.
package scorecard
