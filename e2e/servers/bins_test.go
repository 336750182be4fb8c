package servers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// reference is what these tests need to know of a profile to put a value into
// its bin. They read docs/profile-format.md anew and share no code with what
// they test.
type reference struct{ Features, Predictions []column }

type column struct {
	Name       string
	Bins       []bin
	Categories []struct{ Name string }
}

type bin struct {
	Name, Category string
	Lower, Upper   float64
}

func readReference(t *testing.T, path string) (r reference) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Features) == 0 || len(r.Predictions) != 1 {
		t.Fatalf("%s has %d features and %d predictions, want some and one", path, len(r.Features), len(r.Predictions))
	}
	return r
}

// bin names the bin of a value, which is nil where there is none.
func (c column) bin(value any) string {
	switch v := value.(type) {
	case float64:
		return c.number(v)
	case string:
		return c.category(v)
	case nil:
		return "missing"
	}
	panic(fmt.Sprintf("%s: %T is no value of a row", c.Name, value))
}

func (c column) number(v float64) string {
	var inside []bin
	for _, b := range c.Bins {
		if b.Name[0] >= '0' && b.Name[0] <= '9' {
			inside = append(inside, b)
		}
	}
	least, most := inside[0].Lower, inside[len(inside)-1].Upper
	width := most - least
	switch {
	case v < least-width:
		return "far_under"
	case v < least:
		return "under"
	case v > most+width:
		return "far_over"
	case v > most:
		return "over"
	}
	name := ""
	for _, b := range inside {
		if v >= b.Lower {
			name = b.Name
		}
	}
	return name
}

func (c column) category(v string) string {
	if v == "" {
		return "missing" // as in training data
	}
	for _, b := range c.Bins {
		if b.Category == v {
			return b.Name
		}
	}
	for _, known := range c.Categories {
		if known.Name == v {
			return "other"
		}
	}
	return "unseen"
}
