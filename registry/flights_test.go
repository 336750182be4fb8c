package registry_test

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// seasons makes CSV of the flights of 2013: rows with all columns, those that
// versions are trained on or every fifth, which is held out.
func seasons(t *testing.T) func(held bool, months ...int) string {
	t.Helper()
	f, err := os.Open("profile/testdata/flights-8000-per-month.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return func(held bool, months ...int) string {
		var b strings.Builder
		w := csv.NewWriter(&b)
		for i, row := range all {
			month, _ := strconv.Atoi(row[0])
			if i == 0 || slices.Contains(months, month) && (i%5 == 0) == held && !slices.Contains(row, "") {
				if err := w.Write(row[2 : len(row)-1]); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.Flush()
		return b.String()
	}
}

// On real data: which season's model would be at home in a month.
func TestMatchFlights(t *testing.T) {
	csvOf := seasons(t)
	describe := func(text string) *profile.Profile {
		p, _, err := dataset.FromCSV("flights.csv", strings.NewReader(text), dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	var versions []registry.Version
	for i, months := range [][]int{{1, 2}, {6, 7, 8}, {9, 10}} { // winter, summer, autumn
		b, err := describe(csvOf(false, months...)).Encode()
		if err != nil {
			t.Fatal(err)
		}
		p, err := registry.Pack(b)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, registry.Version{Model: "flights", Number: int64(i + 1), Spec: v1alpha1.ModelVersionSpec{Profile: p}})
	}
	tests := []struct {
		name     string
		versions []registry.Version
		month    int
		live     int64
		nearest  string
		liveFits bool
		best     string
	}{
		{"winter in January", versions, 1, 1, "1", true, ""},
		{"winter in July, nothing else registered", versions[:1], 7, 1, "1", false, ""},
		{"winter in July", versions, 7, 1, "2", false, "2"},
		{"summer in December: winter, not the newest", versions, 12, 2, "1", false, "1"},
		{"winter in December: it stays", versions, 12, 1, "1", true, ""},
	}
	for _, tt := range tests {
		r, err := registry.Match(tt.versions, describe(csvOf(true, tt.month)), registry.MatchOptions{Live: tt.live, Tolerance: 0.2})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		live := slices.IndexFunc(r.Candidates, func(c registry.Candidate) bool { return c.Version == r.Live })
		if r.Candidates[0].Version != tt.nearest || r.Candidates[live].Fits != tt.liveFits || r.Best != tt.best {
			t.Errorf("%s: nearest %s, live fits %v, best %q; want %s, %v, %q", tt.name, r.Candidates[0].Version, r.Candidates[live].Fits, r.Best, tt.nearest, tt.liveFits, tt.best)
		}
		for _, c := range r.Candidates {
			t.Logf("%s: version %s: %.3f, worst column %s %.3f", tt.name, c.Version, c.Distance, c.Columns[0].Name, c.Columns[0].Distance)
		}
	}
}

// Bytes of a stranger are refused, never half-used.
func FuzzUnpack(f *testing.F) {
	p, err := registry.Pack([]byte(`{"format":"leeway.dev/profile/v1"}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Digest, p.Gzip)
	f.Add("", "")
	f.Fuzz(func(t *testing.T, digest, gzip string) {
		b, err := registry.Unpack(v1alpha1.Profile{Digest: digest, Gzip: gzip})
		if err == nil && profile.Digest(b) != digest {
			t.Errorf("bytes of %s were taken for %s", profile.Digest(b), digest)
		}
		_, _, _ = registry.Version{Spec: v1alpha1.ModelVersionSpec{Profile: &v1alpha1.Profile{Digest: digest, Gzip: gzip}}}.Profile()
	})
}
