package lint

import "slices"

// nearest is a known name that differs by a letter or two.
func (l *linter) nearest(name string) string {
	if len(name) < 8 {
		return ""
	}
	best, least := "", 3
	for _, known := range slices.Concat(sortedKeys(l.metrics), sortedKeys(l.records)) {
		if d := distance(name, known, least); d < least {
			best, least = known, d
		}
	}
	return best
}

// distance is Levenshtein's, or limit where it is no less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit)
}
