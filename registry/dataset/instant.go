package dataset

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// instantOf is the time that a cell of the column of time says.
func instantOf(c *cell) (time.Time, bool) {
	switch {
	case c.kind == isTime:
		return inRange(c.at)
	case c.kind == isNumber && c.text == nil:
		return unix(c.number)
	}
	return ParseTime(strings.TrimSpace(string(c.text)))
}

// ParseTime reads a time: RFC 3339, with a blank or a T, with or without seconds
// and zone (then UTC); a date; or a number of seconds, milli-, micro- or
// nanoseconds since 1970, which its size tells.
func ParseTime(text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, false
	}
	if strings.Trim(text, "0123456789.-+eE") == "" && strings.Count(text, "-") < 2 {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return time.Time{}, false
		}
		return unix(v)
	}
	text = strings.TrimSuffix(text, " UTC")
	for _, layout := range []string{
		time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07",
		time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", "2006/01/02 15:04:05", "2006/01/02",
	} {
		if at, err := time.Parse(layout, text); err == nil {
			return inRange(at.UTC())
		}
	}
	return time.Time{}, false
}

// unix reads a number: below 10¹¹ it is seconds, below 10¹⁴ milliseconds, below
// 10¹⁷ microseconds, else nanoseconds. So seconds end in the year 5138.
func unix(v float64) (time.Time, bool) {
	switch a := math.Abs(v); {
	case !finite(v) || a >= 1e18*9:
		return time.Time{}, false
	case a < 1e11:
		seconds := math.Floor(v)
		return inRange(time.Unix(int64(seconds), int64((v-seconds)*1e9)).UTC())
	case a < 1e14:
		return inRange(time.UnixMicro(int64(v * 1e3)).UTC())
	case a < 1e17:
		return inRange(time.UnixMicro(int64(v)).UTC())
	}
	return inRange(time.Unix(0, int64(v)).UTC())
}

// inRange refuses years that a profile can't have.
func inRange(at time.Time) (time.Time, bool) {
	return at, at.Year() >= 1 && at.Year() <= 9998
}
