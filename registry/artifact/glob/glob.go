// Package glob matches the patterns by which people name artifacts: those that a
// guard may deploy, and those that may be read. They have to mean the same.
package glob

import "strings"

// Match says whether a pattern matches all of s; * stands for any text, slashes
// included. It does not backtrack: the first part is a prefix, the last a
// suffix, and those between are found from left to right.
func Match(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, p)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
