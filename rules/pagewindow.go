package rules

import "github.com/prometheus/common/model"

// PageWindow chooses, of the windows that page about a column, the one whose
// recorded series say most about a version that is minutes old: the longest that
// is read from the counters themselves, up to an hour; with none, the shortest.
// Windows are as rules spell them; what can't be read is passed over, and of none
// that can the answer is empty.
func PageWindow(windows []string) (name string) {
	var best Duration
	for _, w := range windows {
		length, err := model.ParseDuration(w)
		if err != nil {
			continue
		}
		d := Duration(length)
		if name == "" || (d <= hour && (d > best || best > hour)) || (d > hour && d < best) {
			best, name = d, w
		}
	}
	return name
}
