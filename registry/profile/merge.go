package profile

import (
	"errors"
	"fmt"
	"time"
)

// Merge adds up live profiles of pods of one version: rows, bins, sketches and
// categories. Profiles without columns, of pods that have no reference yet,
// are passed over. Columns that count into different bins lose them; what they
// hold besides still merges. The error wraps ErrSchema when the columns differ.
func Merge(profiles ...*Profile) (*Profile, error) {
	var list []*Profile
	for _, p := range profiles {
		if len(p.Features)+len(p.Predictions) > 0 {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return &Profile{Format: Format}, nil
	}
	merged := &Profile{Format: Format}
	var features, predictions [][]Column
	for _, p := range list {
		merged.Rows += p.Rows
		merged.From = earlier(merged.From, p.From)
		merged.To = later(merged.To, p.To)
		features = append(features, p.Features)
		predictions = append(predictions, p.Predictions)
	}
	var err error
	if merged.Features, err = mergeColumns(features); err != nil {
		return nil, fmt.Errorf("merge features: %w", err)
	}
	if merged.Predictions, err = mergeColumns(predictions); err != nil {
		return nil, fmt.Errorf("merge predictions: %w", err)
	}
	return merged, nil
}

// mergeColumns merges the columns of the first list with those of the same
// names in the others.
func mergeColumns(lists [][]Column) ([]Column, error) {
	for _, list := range lists[1:] {
		if err := sameSchema(lists[0], list); err != nil {
			return nil, err
		}
	}
	var merged []Column
	for i := range lists[0] {
		same := make([]*Column, 0, len(lists))
		for _, list := range lists {
			for j := range list {
				if list[j].Name == lists[0][i].Name {
					same = append(same, &list[j])
				}
			}
		}
		c, err := mergeColumn(same)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", lists[0][i].Name, err)
		}
		merged = append(merged, c)
	}
	return merged, nil
}

func mergeColumn(same []*Column) (Column, error) {
	definition := *same[0]
	for _, c := range same[1:] {
		if c.Redacted != definition.Redacted {
			return Column{}, errors.New("redacted in one profile, not in another")
		}
		if !sameBins(same[0], c) {
			definition.Bins, definition.Binning = nil, ""
		}
	}
	var m merger
	m.bins = make([]int64, len(definition.Bins))
	for _, c := range same {
		if err := m.addColumn(c); err != nil {
			return Column{}, err
		}
	}
	return m.column(&definition), nil
}

func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

func later(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}
