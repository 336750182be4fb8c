package profile_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

func unsafeString(b []byte) string { return unsafe.String(&b[0], len(b)) }

// live records numbers and categories on one pod.
func live(tb testing.TB, columns []profile.Column, at time.Time, numbers []float64, categories []string) *profile.Profile {
	tb.Helper()
	r := recorder(tb, columns, nil)
	for i := range max(len(numbers), len(categories)) {
		r.Lock(at.Add(time.Duration(i) * 10 * time.Millisecond))
		r.AddRows(1)
		if i < len(numbers) {
			r.Feature(0).Number(numbers[i])
		} else {
			r.Feature(0).Missing()
		}
		if i < len(categories) {
			r.Feature(1).Category(categories[i])
		} else {
			r.Feature(1).Missing()
		}
		r.Unlock()
	}
	return reread(tb, r.Profile(at, at.Add(time.Hour)))
}

func TestMergeAcrossCategorySets(t *testing.T) {
	training, _ := examples(t)
	a := live(t, training.Features, noon, []float64{1, 2}, []string{"a", "b", "x"})
	b := live(t, training.Features, noon.Add(time.Minute), []float64{9}, []string{"b", "y"})
	none := &profile.Profile{Format: profile.Format}
	m, err := profile.Merge(a, none, b)
	if err != nil {
		t.Fatal(err)
	}
	m = reread(t, m)
	if m.Rows != 5 || !m.From.Equal(*a.From) || !m.To.Equal(*b.To) {
		t.Errorf("%d rows from %v to %v", m.Rows, m.From, m.To)
	}
	want := []profile.CategoryCount{{Name: "b", Count: 2}, {Name: "a", Count: 1}, {Name: "x", Count: 1}, {Name: "y", Count: 1}}
	if diff := cmp.Diff(want, m.Features[1].Categories); diff != "" {
		t.Error(diff)
	}
	for i, n := range []int64{1, 1, 0, 0, 0, 0, 1, 2} { // 00 01 02, under over far_under far_over missing
		if got := m.Features[0].Bins[i]; got.Count != n {
			t.Errorf("bin %s counts %d, want %d", got.Name, got.Count, n)
		}
	}
}

// Rows of folded categories stay counted.
func TestMergeFolded(t *testing.T) {
	columns := []profile.Column{{Name: "n", Type: profile.Number}, {Name: "c", Type: profile.Category}}
	var names []string
	for i := range profile.MaxCategories + 100 {
		names = append(names, fmt.Sprint(i))
	}
	a, b := live(t, columns, noon, nil, names), live(t, columns, noon, nil, []string{"x", "y", "y"})
	m, err := profile.Merge(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if c := reread(t, m).Features[1]; c.Folded != 102 || c.Categories[0].Name != "y" || c.Rows != profile.MaxCategories+103 {
		t.Errorf("%d folded of %d rows, the first %v", c.Folded, c.Rows, c.Categories[0])
	}
}

// Pods that count into different bins still merge, without these.
func TestMergeAcrossReferences(t *testing.T) {
	training, _ := examples(t)
	a := live(t, training.Features, noon, []float64{1, 2}, []string{"a"})
	b := live(t, definitions(training), noon, []float64{3}, []string{"b"})
	m, err := profile.Merge(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if c := reread(t, m).Features[0]; c.Bins != nil || c.Rows != 3 || len(c.Sketch) == 0 {
		t.Errorf("%+v", c)
	}
}

func TestMergeErrors(t *testing.T) {
	training, _ := examples(t)
	a := live(t, training.Features, noon, []float64{1, 2}, []string{"a"})
	b := live(t, training.Features, noon, []float64{1, 2}, []string{"a"})
	b.Features[1].Name = "d"
	if _, err := profile.Merge(a, b); !errors.Is(err, profile.ErrSchema) || !strings.Contains(err.Error(), `"c" is missing in the data, "d" is missing in the reference`) {
		t.Errorf("error %v", err)
	}
	if _, err := profile.Merge(training, training); err == nil || !strings.Contains(err.Error(), "only live profiles merge") {
		t.Errorf("error %v", err)
	}
	if m, err := profile.Merge(); err != nil || m.Rows != 0 {
		t.Errorf("nothing: %v, %v", m, err)
	}
}

// Shares from the merged sketches of eight pods, over slices that have been
// merged on each, are within the error that a KLL sketch of k = 1024 states:
// 0.54% for a share at 99%; doubled here, so that the test is no gamble.
func TestMergedSketchError(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var cells []string
	for range 5000 {
		cells = append(cells, fmt.Sprint(rng.NormFloat64()))
	}
	reference := fromColumn(t, cells, dataset.Options{})
	binner, err := profile.NewBinner(reference)
	if err != nil {
		t.Fatal(err)
	}
	exact := make([]float64, len(reference.Bins))
	const pods, each = 8, 40_000
	var list []*profile.Profile
	plain := []profile.Column{{Name: "x", Type: profile.Number}}
	for pod := range pods {
		r := recorder(t, plain, nil)
		for i := range each {
			v := rng.NormFloat64() + float64(pod)/pods
			exact[binner.Number(v)] += 1.0 / pods / each
			r.Lock(noon.Add(time.Duration(i) * 50 * time.Millisecond))
			r.AddRows(1)
			r.Feature(0).Number(v)
			r.Unlock()
		}
		list = append(list, reread(t, r.Profile(noon, noon.Add(time.Hour))))
	}
	m, err := profile.Merge(list...)
	if err != nil {
		t.Fatal(err)
	}
	c := reread(t, m).Features[0]
	if c.Rows != pods*each || len(c.Sketch) > 16<<10 {
		t.Errorf("%d rows in %d bytes", c.Rows, len(c.Sketch))
	}
	_, shares, err := profile.Shares(reference, c)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range reference.Bins {
		if e := math.Abs(shares[i] - exact[i]); e > 2*0.0054 {
			t.Errorf("bin %s: share %.4f, exactly %.4f", b.Name, shares[i], exact[i])
		}
	}
}
