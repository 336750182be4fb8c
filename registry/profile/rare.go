package profile

import "slices"

// HideRare makes hashes of the names of categories with few rows, unless the
// reference has them in plain; nil: there is none. A category of few rows may be
// a person: a name, an address, an identifier. So a live profile that leaves the
// pod does not tell it. Hashes and names compare as equal, merge, and find their
// bins, so nothing else is lost by it.
func (p *Profile) HideRare(reference *Profile) {
	var features, predictions []Column
	if reference != nil {
		features, predictions = reference.Features, reference.Predictions
	}
	hideRare(p.Features, features)
	hideRare(p.Predictions, predictions)
}

func hideRare(list, reference []Column) {
	for i := range list {
		c := &list[i]
		if c.Type != Category || c.Redacted || len(c.Categories) == 0 || c.Categories[len(c.Categories)-1].Count >= categoryRows {
			continue
		}
		named := map[string]bool{}
		if j := slices.IndexFunc(reference, func(r Column) bool { return r.Name == c.Name }); j >= 0 {
			for _, k := range reference[j].Categories {
				named[k.Name] = true
			}
		}
		counts := make(map[string]int64, len(c.Categories))
		for _, k := range c.Categories {
			if k.Count < categoryRows && !named[k.Name] && !isHash(k.Name) {
				k.Name = Key(k.Name, true)
			}
			counts[k.Name] += k.Count // somebody may have sent the hash, too
		}
		c.Categories = sorted(counts)
	}
}

// joinHashes counts what has a hash in one profile and its name in another under
// the name.
func joinHashes(counts map[string]int64) {
	hashes := 0
	for name := range counts {
		if isHash(name) {
			hashes++
		}
	}
	if hashes == 0 || hashes == len(counts) {
		return
	}
	for name := range counts {
		if isHash(name) {
			continue
		}
		if h := Key(name, true); counts[h] > 0 {
			counts[name] += counts[h]
			delete(counts, h)
		}
	}
}
