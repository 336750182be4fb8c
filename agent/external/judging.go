package external

import (
	"regexp"
	"slices"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// word is what may be the name of a series: servers of other makes have
// functions that our parser does not know.
var word = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)

// judging says of each list of rules whether a verdict rests on it.
func judging(groups [][]promapi.Rule) []bool {
	lists := make([][]rules.Ruling, len(groups))
	for i, group := range groups {
		for _, r := range group {
			ruling := rules.Ruling{Reads: slices.Values(word.FindAllString(r.Query, -1))}
			if r.Alerts {
				ruling.Caused = r.Labels["leeway_cause"] != ""
			} else {
				ruling.Records = r.Name
			}
			lists[i] = append(lists[i], ruling)
		}
	}
	return rules.Judging(lists)
}
