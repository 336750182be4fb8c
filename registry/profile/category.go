package profile

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Key is the name under which a category is counted: the category itself, or
// "sha256:" and 16 hexadecimal digits of its hash where the column is
// redacted, the name longer than MaxCategory, or not UTF-8. "True" and "TRUE" in
// a CSV file are the "true" of JSON, and so for false. It does not allocate for
// the usual name.
func Key(category string, redacted bool) string {
	switch category {
	case "True", "TRUE":
		category = "true"
	case "False", "FALSE":
		category = "false"
	}
	if !redacted && len(category) <= MaxCategory && utf8.ValidString(category) {
		return category
	}
	sum := sha256.Sum256([]byte(category))
	return hashPrefix + hex.EncodeToString(sum[:8])
}

const hashPrefix = "sha256:"

// isHash says whether Key made a name of a hash.
func isHash(name string) bool {
	return len(name) == len(hashPrefix)+16 && strings.HasPrefix(name, hashPrefix)
}

// NumberText is how a number is written where a column holds categories.
func NumberText(v float64) string {
	if math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// ParseNumber reads text in a column of numbers; NaN is not a number. Infinity
// is none that training data may have.
func ParseNumber(text string) float64 {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil && !math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// IsMissing says whether text stands for no value.
func IsMissing(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || text == "NA" || strings.EqualFold(text, "NaN") || strings.EqualFold(text, "null")
}

// hash is what stands for a category in Column.Seen.
func hash(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

func hashesOf(seen []byte) []uint32 {
	hashes := make([]uint32, 0, len(seen)/4)
	for i := 0; i+4 <= len(seen); i += 4 {
		hashes = append(hashes, binary.BigEndian.Uint32(seen[i:]))
	}
	return hashes
}

func seenOf(hashes []uint32) []byte {
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	seen := make([]byte, 0, 4*len(hashes))
	for _, h := range hashes {
		seen = binary.BigEndian.AppendUint32(seen, h)
	}
	return seen
}

func knows(hashes []uint32, name string) bool {
	_, ok := slices.BinarySearch(hashes, hash(name))
	return ok
}

// sorted lists counts, most frequent first, equal ones by name.
func sorted(counts map[string]int64) []CategoryCount {
	list := make([]CategoryCount, 0, len(counts))
	for name, n := range counts {
		list = append(list, CategoryCount{name, n})
	}
	slices.SortFunc(list, byCount)
	return list
}

func byCount(a, b CategoryCount) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
}

// fold keeps the first MaxCategories of a sorted list and counts the rows of
// the others.
func fold(list []CategoryCount) (kept []CategoryCount, folded int64) {
	if len(list) <= MaxCategories {
		return list, 0
	}
	for _, c := range list[MaxCategories:] {
		folded += c.Count
	}
	return list[:MaxCategories:MaxCategories], folded
}
