package profile

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"
)

// check finds what is wrong with a profile: nil means that every method and
// function of this package can rely on it.
func (p *Profile) check() error {
	if p.Format != Format {
		return fmt.Errorf("format: is %q, want %q", clip(p.Format), Format)
	}
	if p.Source != "" && p.Source != Live {
		return fmt.Errorf("source: is %q, want %q or nothing", clip(p.Source), Live)
	}
	if p.Rows < 0 || p.Rows > MaxRows {
		return fmt.Errorf("rows: %d is not between 0 and %d", p.Rows, int64(MaxRows))
	}
	if err := checkTimes(p.From, p.To); err != nil {
		return err
	}
	if err := checkBlocks(p.Blocks); err != nil {
		return err
	}
	if n := len(p.Features) + len(p.Predictions); n > MaxColumns {
		return fmt.Errorf("features and predictions: %d columns, at most %d", n, MaxColumns)
	}
	if err := p.checkColumns("feature", p.Features); err != nil {
		return err
	}
	return p.checkColumns("prediction", p.Predictions)
}

func checkTimes(from, to *time.Time) error {
	for _, t := range []*time.Time{from, to} {
		if t != nil && (t.Year() < 1 || t.Year() > 9998) {
			return fmt.Errorf("from and to: year %d is not between 1 and 9998", t.Year())
		}
	}
	if from != nil && to != nil && to.Before(*from) {
		return fmt.Errorf("to: %v is before from, %v", to, from)
	}
	return nil
}

func (p *Profile) checkColumns(kind string, list []Column) error {
	names := make(map[string]bool, len(list))
	for i := range list {
		c := &list[i]
		err := c.check()
		switch {
		case err != nil:
		case names[c.Name]:
			err = errors.New("name: twice")
		case c.Rows > p.Rows:
			err = fmt.Errorf("rows: %d, in a profile of %d", c.Rows, p.Rows)
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", kind, clip(c.Name), err)
		}
		names[c.Name] = true
	}
	return nil
}

func (c *Column) check() error {
	switch {
	case c.Name == "" || len(c.Name) > MaxName || !utf8.ValidString(c.Name):
		return fmt.Errorf("name: want 1 to %d bytes of UTF-8", MaxName)
	case c.Type != Number && c.Type != Category:
		return fmt.Errorf("type: is %q, want %q or %q", clip(string(c.Type)), Number, Category)
	case c.Rows < 0 || c.Rows > MaxRows:
		return fmt.Errorf("rows: %d is not between 0 and %d", c.Rows, int64(MaxRows))
	case c.Missing < 0 || c.Missing > c.Rows:
		return fmt.Errorf("missing: %d is not between 0 and rows, %d", c.Missing, c.Rows)
	case len(c.Binning) > 64 || !utf8.ValidString(c.Binning):
		return errors.New("binning: longer than 64 bytes")
	case c.Type == Number && (len(c.Categories) > 0 || c.Folded != 0 || len(c.Seen) > 0):
		return errors.New("categories, folded, seen: in a column of numbers")
	case c.Type == Category && (len(c.Quantiles) > 0 || len(c.Sketch) > 0):
		return errors.New("quantiles, sketch: in a column of categories")
	}
	if len(c.Bins) > 0 {
		if err := checkBins(c); err != nil {
			return err
		}
	}
	if err := cmp.Or(checkErrors(c.Bins), checkClustering(c.Clustering), checkColumnBlocks(c.Blocks)); err != nil {
		return err
	}
	if c.Type == Category {
		return checkCategories(c)
	}
	if err := checkQuantiles(c); err != nil {
		return err
	}
	if len(c.Sketch) == 0 {
		return nil
	}
	n, err := checkSketch(c.Sketch)
	if err == nil && n != c.Rows-c.Missing {
		err = fmt.Errorf("holds %d values, but rows less missing is %d", n, c.Rows-c.Missing)
	}
	if err != nil {
		return fmt.Errorf("sketch: %w", err)
	}
	return nil
}

func checkQuantiles(c *Column) error {
	switch n := len(c.Quantiles); {
	case n == 0:
		return nil
	case n != QuantileCount:
		return fmt.Errorf("quantiles: %d of them, want %d", n, QuantileCount)
	case c.Rows == c.Missing:
		return errors.New("quantiles: in a column without values")
	case len(c.Sketch) > 0:
		return errors.New("quantiles: beside a sketch; a column has one of them")
	}
	for i, q := range c.Quantiles {
		if math.IsNaN(q) || math.IsInf(q, 0) {
			return fmt.Errorf("quantiles[%d]: %v is not finite", i, q)
		}
		if i > 0 && q < c.Quantiles[i-1] {
			return fmt.Errorf("quantiles[%d]: %v after %v, want them ascending", i, q, c.Quantiles[i-1])
		}
	}
	return nil
}

func checkCategories(c *Column) error {
	if n := len(c.Categories); n > MaxCategories {
		return fmt.Errorf("categories: %d of them, at most %d", n, MaxCategories)
	}
	if c.Folded < 0 || c.Folded > c.Rows {
		return fmt.Errorf("folded: %d is not between 0 and rows, %d", c.Folded, c.Rows)
	}
	left := c.Rows - c.Missing - c.Folded
	names := make(map[string]bool, len(c.Categories))
	for i, k := range c.Categories {
		switch {
		case len(k.Name) > MaxCategory || !utf8.ValidString(k.Name):
			return fmt.Errorf("categories[%d].name: want at most %d bytes of UTF-8", i, MaxCategory)
		case names[k.Name]:
			return fmt.Errorf("categories[%d].name: %q twice", i, clip(k.Name))
		case k.Count < 1 || k.Count > c.Rows:
			return fmt.Errorf("categories[%d].count: %d is not between 1 and rows, %d", i, k.Count, c.Rows)
		case i > 0 && byCount(c.Categories[i-1], k) >= 0:
			return fmt.Errorf("categories[%d]: %q out of order, want descending counts, then names", i, clip(k.Name))
		}
		names[k.Name] = true
		left -= k.Count
	}
	if left != 0 {
		return fmt.Errorf("categories: their counts, folded and missing differ from rows by %d", left)
	}
	if len(c.Seen)%4 != 0 || len(c.Seen) > 4*MaxSeen {
		return fmt.Errorf("seen: %d bytes, want four for each of at most %d hashes", len(c.Seen), MaxSeen)
	}
	if hashes := hashesOf(c.Seen); !slices.IsSorted(hashes) {
		return errors.New("seen: hashes are not ascending")
	}
	return nil
}
