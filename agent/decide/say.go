package decide

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How numbers, times and names are put into sentences.

// span says a duration as a person would: in its two largest units.
func span(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	switch {
	case d < 10*time.Second:
		return sign + strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + "s"
	case d < time.Minute:
		return fmt.Sprintf("%s%ds", sign, d/time.Second)
	case d < time.Hour:
		return sign + pair(int64(d/time.Minute), "m", int64(d%time.Minute/time.Second), "s")
	case d < 48*time.Hour:
		return sign + pair(int64(d/time.Hour), "h", int64(d%time.Hour/time.Minute), "m")
	default:
		return sign + pair(int64(d/(24*time.Hour)), "d", int64(d%(24*time.Hour)/time.Hour), "h")
	}
}

func pair(a int64, unitA string, b int64, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d%s", a, unitA)
	}
	return fmt.Sprintf("%d%s%d%s", a, unitA, b, unitB)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func number(x float64) string { return strconv.FormatFloat(x, 'g', 3, 64) }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// word says a cause in words.
func word[C ~string](cause C) string { return strings.ReplaceAll(string(cause), "_", " ") }

// columns names a few of them and counts the rest.
func columns(names []string) string {
	switch {
	case len(names) == 0:
		return "some columns"
	case len(names) == 1:
		return "column " + names[0]
	case len(names) <= 4:
		return "columns " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("%d columns (%s, …)", len(names), strings.Join(names[:3], ", "))
}

// shown says what one alert says: its own sentence, else its name and value.
func shown(a Alert) string {
	if a.Summary != "" {
		return strings.TrimRight(strings.Join(strings.Fields(a.Summary), " "), ".")
	}
	s := a.Name
	if a.Subject != "" {
		s += " on " + a.Subject
	}
	return fmt.Sprintf("%s, value %s over %s", s, number(a.Value), span(a.Window))
}

func alertNames(alerts []Alert) string {
	var names []string
	for _, a := range alerts {
		if !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return strings.Join(names, ", ")
}
