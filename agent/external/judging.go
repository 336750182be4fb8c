package external

import (
	"regexp"

	"github.com/leeway-dev/leeway/rules/promapi"
)

var word = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)

// judging says of each list of rules whether a verdict rests on it: whether it
// has an alert with a leeway_cause, or records what such alerts read, or what
// that is recorded from. The others are for people: nothing waits for them.
func judging(groups [][]promapi.Rule) []bool {
	records := map[string][]int{} // groups that record a series, by its name
	rests := make([]bool, len(groups))
	var next []int
	take := func(i int) {
		if !rests[i] {
			rests[i] = true
			next = append(next, i)
		}
	}
	for i, list := range groups {
		for _, r := range list {
			if !r.Alerts {
				records[r.Name] = append(records[r.Name], i)
			} else if r.Labels["leeway_cause"] != "" {
				take(i)
			}
		}
	}
	for len(next) > 0 {
		list := groups[next[0]]
		next = next[1:]
		for _, r := range list {
			for _, name := range word.FindAllString(r.Query, -1) {
				for _, i := range records[name] {
					take(i)
				}
			}
		}
	}
	return rests
}
