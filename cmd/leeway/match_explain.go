package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

const (
	explainedVersions = 3  // the nearest, and the one in service
	explainedColumns  = 3  // of each, those that differ most
	barWidth          = 24 // of the longest bar
)

// explainMatch draws, for the nearest versions, how live data and training data
// lie in the columns that differ most. The profiles of no others are read.
func explainMatch(ctx context.Context, w io.Writer, r registry.Result, s registry.Store, live *profile.Profile) error {
	for i, c := range r.Candidates {
		if i >= explainedVersions && c.Version != r.Live {
			continue
		}
		number, err := registry.ParseNumber(c.Version)
		if err != nil {
			return err
		}
		v, err := s.Get(ctx, r.Model, number)
		if errors.Is(err, registry.ErrNotFound) {
			continue // deleted since
		}
		if err != nil {
			return err
		}
		p, _, err := v.Profile()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\nVersion %s%s\n", c.Version, verdict(r, c))
		for _, column := range c.Columns[:min(len(c.Columns), explainedColumns)] {
			if column.Distance > 0 {
				explainColumn(w, column, p, live)
			}
		}
	}
	return nil
}

// verdict says in words what was found of a candidate.
func verdict(r registry.Result, c registry.Candidate) string {
	var words []string
	switch {
	case c.Fits:
		words = append(words, "fits")
	case c.Distance > c.Tolerance:
		words = append(words, fmt.Sprintf("does not fit: its distance %.3f is above %.3f", c.Distance, c.Tolerance))
	default:
		for _, column := range c.Columns {
			if column.Distance > column.Tolerance {
				words = append(words, fmt.Sprintf("does not fit: %s is %.3f away, more than %.3f", column.Name, column.Distance, column.Tolerance))
				break
			}
		}
	}
	live := slices.IndexFunc(r.Candidates, func(o registry.Candidate) bool { return o.Version == r.Live })
	switch {
	case c.Version == r.Live:
		return " (in service) " + strings.Join(words, "; ")
	case live < 0 || r.Candidates[live].Distance == 0:
	case c.Better:
		words = append(words, fmt.Sprintf("%.2f of live's distance: better", c.Distance/r.Candidates[live].Distance))
	default:
		words = append(words, fmt.Sprintf("%.2f of live's distance: better would be at most %.2f", c.Distance/r.Candidates[live].Distance, c.Margin))
	}
	if c.Version == r.Best {
		return " (best) " + strings.Join(words, "; ")
	}
	return " " + strings.Join(words, "; ")
}

// explainColumn draws a column's bins: the training data's share and today's.
func explainColumn(w io.Writer, column registry.Column, version, live *profile.Profile) {
	named := func(c profile.Column) bool { return c.Name == column.Name }
	i, j := slices.IndexFunc(version.Features, named), slices.IndexFunc(live.Features, named)
	if i < 0 || j < 0 {
		return
	}
	trained, today, err := profile.Shares(version.Features[i], live.Features[j])
	if err != nil {
		return
	}
	fmt.Fprintf(w, "\n  %s  distance %.3f, tolerance %.3f%s\n", column.Name, column.Distance, column.Tolerance, medians(column))
	longest := max(slices.Max(trained), slices.Max(today))
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, k := range inOrder(version.Features[i]) {
		if trained[k] == 0 && today[k] == 0 {
			continue
		}
		label := binLabel(version.Features[i].Bins[k])
		fmt.Fprintf(t, "    %s\tversion\t%5.1f%%\t%s\n", label, 100*trained[k], bar(trained[k], longest))
		fmt.Fprintf(t, "    %s\ttoday\t%5.1f%%\t%s%s\n", "", 100*today[k], bar(today[k], longest), moved(trained[k], today[k]))
	}
	_ = t.Flush()
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// medians tells the shift of a column of numbers.
func medians(c registry.Column) string {
	if c.Change == nil || c.Change.Median == nil {
		return ""
	}
	m := c.Change.Median
	if m.Version == m.Data {
		return fmt.Sprintf(", median %.4g in both", m.Version)
	}
	return fmt.Sprintf(", median %.4g, today %.4g", m.Version, m.Data)
}

// inOrder lists a column's bins by their values: those outside the range beside
// it, and what has no value last.
func inOrder(c profile.Column) []int {
	var order []int
	for i := range c.Bins {
		order = append(order, i)
	}
	if c.Type != profile.Number {
		return order
	}
	n := len(order) - 5 // then under, over, far under, far over, missing
	return slices.Concat([]int{n + 2, n}, order[:n], []int{n + 1, n + 3, n + 4})
}

func binLabel(b profile.Bin) string {
	number := func(v *float64) string { return strconv.FormatFloat(*v, 'g', 4, 64) }
	switch {
	case b.Category != "":
		return category(b.Category)
	case b.Lower != nil && b.Upper != nil:
		return number(b.Lower) + " to " + number(b.Upper)
	case b.Upper != nil:
		return "below " + number(b.Upper)
	case b.Lower != nil:
		return "above " + number(b.Lower)
	}
	return "(" + b.Name + ")"
}

// category keeps a category within a column of the terminal, without what would
// move the cursor.
func category(s string) string {
	const most = 24
	runes := []rune(strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

// bar is a share as eighths of a character.
func bar(share, longest float64) string {
	eighths := int(math.Round(share / longest * barWidth * 8))
	if eighths == 0 && share > 0 {
		eighths = 1
	}
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return s
}

// moved marks a share that changed by a point and by a quarter.
func moved(from, to float64) string {
	switch {
	case math.Abs(to-from) < 0.01 || math.Abs(to-from) < 0.25*from:
		return ""
	case to > from:
		return " ▲"
	}
	return " ▼"
}

// window says how long the live data is, for people.
func window(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d <= 0:
		return "it does not say how long"
	case d >= 2*day:
		return fmt.Sprintf("%.3g days", d.Hours()/24)
	case d >= time.Hour:
		return fmt.Sprintf("%.3g hours", d.Hours())
	default:
		return d.Round(time.Second).String()
	}
}
