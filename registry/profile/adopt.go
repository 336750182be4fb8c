package profile

import (
	"fmt"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile/summary"
)

// Live is the Source of a profile that Adopt has made.
const Live = "live"

// AdoptOptions say what to do with columns; the zero value adopts all as they
// are.
type AdoptOptions struct {
	Ignore []string // columns to leave out
	Redact []string // columns whose categories are kept as hashes only
}

// Adopt makes a reference of live profiles of pods of one version, for a model
// whose training data is not at hand: bins, quantiles and categories as a
// training profile has them, but of the rows that passed. Bounds that the
// profiles have already don't matter.
//
// Bins and quantiles come from the merged sketches, so a bin's share is off by
// at most 0.57% of the rows with 99% confidence; counts still add up exactly.
// Columns that only some pods know count as missing in the rows of the others.
// Columns of numbers without a value have no bins: they are left out, and
// named. The error wraps ErrEmpty where nothing is left, and ErrSchema where
// pods disagree about a type.
func Adopt(o AdoptOptions, live ...*Profile) (p *Profile, leftOut []string, err error) {
	merged, err := Merge(complete(live)...)
	if err != nil {
		return nil, nil, err
	}
	if err := o.check(merged); err != nil {
		return nil, nil, err
	}
	p = &Profile{Format: Format, Source: Live, Rows: merged.Rows, From: utc(merged.From), To: utc(merged.To)}
	for i, list := range [][]Column{merged.Features, merged.Predictions} {
		for j := range list {
			if slices.Contains(o.Ignore, list[j].Name) {
				continue
			}
			c, ok, err := adoptColumn(&list[j], i == 1, slices.Contains(o.Redact, list[j].Name))
			switch {
			case err != nil:
				return nil, nil, fmt.Errorf("column %q: %w", list[j].Name, err)
			case !ok:
				leftOut = append(leftOut, list[j].Name)
			case i == 0:
				p.Features = append(p.Features, c)
			default:
				p.Predictions = append(p.Predictions, c)
			}
		}
	}
	if len(p.Features)+len(p.Predictions) == 0 || p.Rows == 0 {
		return nil, leftOut, fmt.Errorf("live profiles: %w to adopt", ErrEmpty)
	}
	return p, leftOut, p.check()
}

// check finds names that are no columns.
func (o AdoptOptions) check(p *Profile) error {
	for _, name := range slices.Concat(o.Ignore, o.Redact) {
		is := func(c Column) bool { return c.Name == name }
		if !slices.ContainsFunc(p.Features, is) && !slices.ContainsFunc(p.Predictions, is) {
			return fmt.Errorf("no column %q was seen", name)
		}
	}
	return nil
}

// complete gives every profile that has columns all columns of the others.
// What a pod has never seen is missing in all of its rows.
func complete(live []*Profile) []*Profile {
	var features, predictions []Column
	for _, p := range live {
		features = addNew(features, p.Features)
		predictions = addNew(predictions, p.Predictions)
	}
	var list []*Profile
	for _, p := range live {
		if len(p.Features)+len(p.Predictions) == 0 {
			continue
		}
		q := *p
		q.Features = padded(p.Features, features)
		q.Predictions = padded(p.Predictions, predictions)
		list = append(list, &q)
	}
	return list
}

func addNew(all, some []Column) []Column {
	for _, c := range some {
		if !slices.ContainsFunc(all, func(have Column) bool { return have.Name == c.Name }) {
			all = append(all, c)
		}
	}
	return all
}

// padded is list and, behind it, those of all that it lacks. They have as many
// rows as the fullest column beside them: predictions are fewer than requests.
func padded(list, all []Column) []Column {
	var rows int64
	for _, c := range list {
		rows = max(rows, c.Rows)
	}
	list = slices.Clone(list)
	for _, c := range addNew(slices.Clone(list), all)[len(list):] {
		empty := Column{Name: c.Name, Type: c.Type, Redacted: c.Redacted, Rows: rows, Missing: rows}
		list = append(list, empty)
	}
	return list
}

// adoptColumn makes a reference's column of a live one; not ok: it has no
// values to cut bins from.
func adoptColumn(live *Column, prediction, redact bool) (c Column, ok bool, err error) {
	c = Column{Name: live.Name, Type: live.Type, Rows: live.Rows, Missing: live.Missing, Redacted: live.Redacted}
	if c.Rows == c.Missing {
		return c, false, nil
	}
	if c.Type == Category {
		c.Redacted = c.Redacted || redact
		adoptCategories(live, &c)
	} else if err := adoptNumbers(live, &c, prediction); err != nil {
		return c, false, err
	}
	c.Binning = binning(&c)
	return c, true, nil
}

func adoptNumbers(live, into *Column, prediction bool) error {
	list, err := sketchRuns(live.Sketch)
	if err != nil {
		return fmt.Errorf("sketch: %w", err)
	}
	if _, _, derived := summary.Split(into.Name); derived {
		prediction = false // a norm from 0 to 1 is no probability
	}
	return into.describe(list, prediction)
}

// adoptCategories keeps the names. Rows of names that were not kept will look
// unseen to this reference, so they are expected as such.
func adoptCategories(live, into *Column) {
	counts := make(map[string]int64, len(live.Categories))
	for _, k := range live.Categories {
		if into.Redacted && !isHash(k.Name) {
			k.Name = Key(k.Name, true)
		}
		counts[k.Name] += k.Count
	}
	list := sorted(counts)
	into.Categories, into.Folded = list, live.Folded
	into.Binary = len(list) == 2 && live.Folded == 0
	into.Bins = categoryColumnBins(list, into.Rows-into.Missing, into.Missing)
}
