package profile_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// crowd observes categories c0, c1, …, each so many times, without a reference, and hides the rare ones.
func crowd(t *testing.T, counts ...int) *profile.Profile {
	t.Helper()
	r := recorder(t, []profile.Column{{Name: "x", Type: profile.Category}}, nil)
	r.Lock(noon)
	for i, n := range counts {
		r.AddRows(int64(n))
		for range n {
			r.Feature(0).Category(fmt.Sprint("c", i))
		}
	}
	r.Unlock()
	p := r.Profile(noon, noon)
	p.HideRare(nil)
	return reread(t, p)
}

// Names of few rows leave as hashes, unless the reference has them.
func TestHideRare(t *testing.T) {
	p := crowd(t, 30, 19, 1)
	want := fmt.Sprintf("[{c0 30} {%s 19} {%s 1}]", profile.Key("c1", true), profile.Key("c2", true))
	if got := fmt.Sprint(p.Features[0].Categories); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	reference := fromColumn(t, append(strings.Split(strings.Repeat("c0 ", 50)+"c1", " "), "c3"), dataset.Options{})
	r := recorder(t, []profile.Column{reference}, nil)
	r.Lock(noon)
	r.AddRows(4)
	for _, name := range []string{"c1", "c2", "c4", profile.Key("c4", true)} { // somebody sends the hash, too
		r.Feature(0).Category(name)
	}
	r.Unlock()
	p = r.Profile(noon, noon)
	p.HideRare(&profile.Profile{Features: []profile.Column{reference}})
	want = fmt.Sprintf("[{%s 2} {c1 1} {%s 1}]", profile.Key("c4", true), profile.Key("c2", true))
	if got := fmt.Sprint(reread(t, p).Features[0].Categories); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A hidden name compares as the name would.
func TestHiddenShares(t *testing.T) {
	reference := fromColumn(t, strings.Split(strings.Repeat("c0 c1 ", 50)+"c2 c2", " "), dataset.Options{})
	_, hidden, err := profile.Shares(reference, crowd(t, 30, 10, 5, 5).Features[0])
	if err != nil {
		t.Fatal(err)
	}
	// c0, c1, other, unseen, missing
	for i, want := range []float64{0.6, 0.2, 0.1, 0.1, 0} {
		if math.Abs(hidden[i]-want) > 1e-9 {
			t.Errorf("shares %v", hidden)
			break
		}
	}
}

// Where the reference has nothing but another hash of a category, hidden ones are divided as named ones are.
func TestHiddenAmongSeen(t *testing.T) {
	var cells []string
	for i := range 3000 { // 1,000 of them are named
		cells = append(cells, fmt.Sprintf("n%04d", i), fmt.Sprintf("n%04d", i))
	}
	reference := fromColumn(t, cells, dataset.Options{})
	r := recorder(t, []profile.Column{{Name: "x", Type: profile.Category}}, nil)
	r.Lock(noon)
	for name, n := range map[string]int{"n0001": 30, "new": 30, "n2999": 20, "n2998": 10, "newer": 10} {
		r.AddRows(int64(n))
		for range n {
			r.Feature(0).Category(name)
		}
	}
	r.Unlock()
	p := r.Profile(noon, noon)
	p.HideRare(nil)
	_, data, err := profile.Shares(reference, p.Features[0])
	if err != nil || math.Abs(data[0]-0.625) > 1e-9 || math.Abs(data[1]-0.375) > 1e-9 { // 50 and 30, and 20 as these
		t.Errorf("shares %v, %v", data, err)
	}
}

// What is rare in one pod may not be in another, nor in the sum; a reference of the sum knows it by its hash.
func TestMergeHidden(t *testing.T) {
	a, b := crowd(t, 100, 15, 15), crowd(t, 100, 25, 15)
	merged, err := profile.Merge(a, b)
	if err != nil {
		t.Fatal(err)
	}
	other, err := profile.Merge(b, a)
	if err != nil || fmt.Sprint(other.Features[0].Categories) != fmt.Sprint(merged.Features[0].Categories) {
		t.Errorf("the order matters: %v, %v, %v", other, merged, err)
	}
	hash := profile.Key("c2", true)
	if got := fmt.Sprint(merged.Features[0].Categories); got != fmt.Sprintf("[{c0 200} {c1 40} {%s 30}]", hash) {
		t.Errorf("merged %s", got)
	}
	p, _, err := profile.Adopt(profile.AdoptOptions{}, a, b)
	if err != nil {
		t.Fatal(err)
	}
	binner, err := profile.NewBinner(reread(t, p).Features[0])
	if err != nil {
		t.Fatal(err)
	}
	names := binner.Names()
	for name, bin := range map[string]string{"c0": "00", "c1": "01", "c2": "02", hash: "02", "c3": "unseen"} {
		if got := names[binner.Category(name)]; got != bin {
			t.Errorf("%s is in bin %s, want %s", name, got, bin)
		}
	}
}
