package rules

import "iter"

// Ruling is what Judging asks about a rule.
type Ruling struct {
	Records string           // the series that it records; empty: it is an alert
	Caused  bool             // it is an alert with a leeway_cause
	Reads   iter.Seq[string] // the series that its expression names
}

// Judging says of each group whether a verdict rests on it: whether it has an
// alert with a leeway_cause, or records what such alerts read, or what that is
// recorded from. The others are for people: nothing waits for them.
func Judging(groups [][]Ruling) []bool {
	records := map[string][]int{} // groups that record a series, by its name
	rests := make([]bool, len(groups))
	var next []int
	take := func(i int) {
		if !rests[i] {
			rests[i] = true
			next = append(next, i)
		}
	}
	for i, group := range groups {
		for _, r := range group {
			if r.Records != "" {
				records[r.Records] = append(records[r.Records], i)
			} else if r.Caused {
				take(i)
			}
		}
	}
	for len(next) > 0 {
		group := groups[next[0]]
		next = next[1:]
		for _, r := range group {
			for name := range r.Reads {
				for _, i := range records[name] {
					take(i)
				}
			}
		}
	}
	return rests
}
