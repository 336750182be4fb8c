package registry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// rows makes a CSV of two features whose means are shifted.
func rows(n int, shift float64) string {
	r := rand.New(rand.NewPCG(7, 7))
	var b strings.Builder
	b.WriteString("temp,hour,prediction\n")
	for range n {
		fmt.Fprintf(&b, "%g,%g,%g\n", r.NormFloat64()+shift, r.Float64()*24+shift, r.NormFloat64())
	}
	return b.String()
}

func parse(t *testing.T, csv string) *profile.Profile {
	t.Helper()
	p, _, err := profile.FromCSV("test.csv", strings.NewReader(csv), profile.CSVOptions{Predictions: []string{"prediction"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func versionOf(t *testing.T, number int64, csv string) registry.Version {
	t.Helper()
	v := registry.Version{Model: "churn", Number: number, Lifecycle: v1alpha1.Registered}
	if csv != "" {
		b, err := parse(t, csv).Encode()
		if err != nil {
			t.Fatal(err)
		}
		if v.Spec.Profile, err = registry.Pack(b); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func with(v registry.Version, change func(*registry.Version)) registry.Version {
	change(&v)
	return v
}

func TestMatch(t *testing.T) {
	near, nearer, far := versionOf(t, 1, rows(2000, 0.3)), versionOf(t, 2, rows(2000, 0)), versionOf(t, 3, rows(2000, 3))
	numbered := func(v registry.Version, n int64) registry.Version {
		return with(v, func(v *registry.Version) { v.Number = n })
	}
	today := parse(t, rows(1000, 0))
	rejected := func(v *registry.Version) { v.Lifecycle = v1alpha1.Rejected }

	tests := []struct {
		name     string
		versions []registry.Version
		options  registry.MatchOptions
		live     string
		ranked   string // version, fits (f), better (b)
		best     string
		excluded string
	}{
		{"the nearest that fits and is better than live", []registry.Version{near, nearer, far}, registry.MatchOptions{Live: 3, Tolerance: 0.2}, "3", "2fb 1fb 3", "2", ""},
		{"live is listed and never best", []registry.Version{near, nearer, far}, registry.MatchOptions{Live: 2, Tolerance: 0.2}, "2", "2f 1f 3", "", ""},
		{"none better by 30%", []registry.Version{near, numbered(near, 4)}, registry.MatchOptions{Live: 1, Tolerance: 0.2}, "1", "4f 1f", "", ""},
		{"better but none fits", []registry.Version{near, far}, registry.MatchOptions{Live: 3, Tolerance: 0.01}, "3", "1b 3", "", ""},
		{"no live: the nearest that fits", []registry.Version{far, near}, registry.MatchOptions{Tolerance: 0.2}, "", "1f 3", "1", ""},
		{"no live, none fits", []registry.Version{far}, registry.MatchOptions{Tolerance: 0.2}, "", "3", "", ""},
		{"live by its lifecycle", []registry.Version{near, with(far, func(v *registry.Version) { v.Lifecycle = v1alpha1.Live }), nearer}, registry.MatchOptions{Tolerance: 0.2}, "3", "2fb 1fb 3", "2", ""},
		{"ties by version, newest first", []registry.Version{numbered(near, 9), near, numbered(near, 10)}, registry.MatchOptions{Tolerance: 0.2}, "", "10f 9f 1f", "10", ""},
		{"rejected and retired", []registry.Version{near, with(nearer, rejected), with(far, func(v *registry.Version) { v.Lifecycle = v1alpha1.Retired })}, registry.MatchOptions{Tolerance: 0.2}, "", "1f", "1", "3 retired, 2 rejected"},
		{"a rejected version in service is still compared with", []registry.Version{near, with(far, rejected)}, registry.MatchOptions{Live: 3, Tolerance: 0.2}, "3", "1fb 3", "1", ""},
		{"no profile", []registry.Version{near, versionOf(t, 5, "")}, registry.MatchOptions{Tolerance: 0.2}, "", "1f", "1", "5 no_profile"},
		{"live without a profile: nothing is known to be better", []registry.Version{near, versionOf(t, 5, "")}, registry.MatchOptions{Live: 5, Tolerance: 0.2}, "5", "1f", "", "5 no_profile"},
		{"a profile that was changed", []registry.Version{with(near, func(v *registry.Version) {
			v.Spec.Profile = &v1alpha1.Profile{Digest: nearer.Spec.Profile.Digest, Gzip: near.Spec.Profile.Gzip}
		})}, registry.MatchOptions{}, "", "", "", "1 no_profile"},
		{"other features", []registry.Version{near, versionOf(t, 4, strings.Replace(rows(100, 0), "temp", "dewp", 1))}, registry.MatchOptions{}, "", "1f", "1", "4 schema"},
		{"features in another order", []registry.Version{near, versionOf(t, 4, strings.Replace(rows(100, 0), "temp,hour", "hour,temp", 1))}, registry.MatchOptions{}, "", "1f", "1", "4 schema"},
		{"other predictions than live's", []registry.Version{near, versionOf(t, 4, strings.ReplaceAll(strings.Replace(rows(100, 0), ",prediction", ",x", 1), ",x", ",prediction")), versionOf(t, 5, "temp,hour,prediction\n1,1,yes\n2,2,no\n")}, registry.MatchOptions{Live: 1}, "1", "1f 4f", "", "5 schema"},
		{"another compat than live's", []registry.Version{near, with(nearer, func(v *registry.Version) { v.Spec.Compat = "features=2" })}, registry.MatchOptions{Live: 1}, "1", "1f", "", "2 compat"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.versions)
			r, err := registry.Match(tt.versions, today, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := ranked(r); got != tt.ranked {
				t.Errorf("ranked %q, want %q (%+v)", got, tt.ranked, r.Candidates)
			}
			if r.Best != tt.best || r.Live != tt.live {
				t.Errorf("best %q live %q, want %q and %q", r.Best, r.Live, tt.best, tt.live)
			}
			var excluded []string
			for _, e := range r.Excluded {
				excluded = append(excluded, e.Version+" "+string(e.Reason))
			}
			if got := strings.Join(excluded, ", "); got != tt.excluded {
				t.Errorf("excluded %q, want %q", got, tt.excluded)
			}
			for _, c := range r.Candidates {
				if c.Calibrated() != (tt.options.Tolerance > 0) {
					t.Errorf("version %s: tolerance %v is from %s", c.Version, c.Tolerance, c.Basis)
				}
			}
			slices.Reverse(before)
			again, err := registry.Match(before, today, tt.options)
			if d := cmp.Diff(r, again); err != nil || d != "" {
				t.Errorf("the order of versions matters: %v %s", err, d)
			}
		})
	}
}

func ranked(r registry.Result) string {
	var s []string
	for _, c := range r.Candidates {
		one := c.Version
		if c.Fits {
			one += "f"
		}
		if c.Better {
			one += "b"
		}
		s = append(s, one)
	}
	return strings.Join(s, " ")
}

// A column may be out of place though the mean is not.
func TestMatchColumnTolerance(t *testing.T) {
	var a, b strings.Builder
	for _, w := range []*strings.Builder{&a, &b} {
		w.WriteString("c0,c1,c2,c3,c4,c5,c6,c7,c8,prediction\n")
	}
	for i := range 500 {
		fmt.Fprintf(&a, "%d%s\n", i, strings.Repeat(fmt.Sprintf(",%d", i), 9))
		fmt.Fprintf(&b, "%d%s\n", i+5000, strings.Repeat(fmt.Sprintf(",%d", i), 9))
	}
	r, err := registry.Match([]registry.Version{versionOf(t, 1, a.String())}, parse(t, b.String()), registry.MatchOptions{Tolerance: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	c := r.Candidates[0]
	if c.Distance > 0.2 || c.Fits || c.Columns[0].Name != "c0" || c.Columns[0].Tolerance != 0.5 || c.Columns[0].Distance < 0.99 {
		t.Errorf("got %+v, want a mean within 0.2 that does not fit for column c0", c)
	}
}

func TestMatchErrors(t *testing.T) {
	v := versionOf(t, 1, rows(100, 0))
	other := with(versionOf(t, 2, rows(100, 0)), func(v *registry.Version) { v.Model = "other" })
	today := parse(t, rows(100, 0))
	tests := []struct {
		name     string
		versions []registry.Version
		live     *profile.Profile
		options  registry.MatchOptions
		want     error
	}{
		{"unknown live", []registry.Version{v}, today, registry.MatchOptions{Live: 7}, registry.ErrNotFound},
		{"unknown live of none", nil, today, registry.MatchOptions{Live: 7}, registry.ErrNotFound},
		{"no rows", []registry.Version{v}, &profile.Profile{Format: profile.Format}, registry.MatchOptions{}, registry.ErrNoRows},
		{"no profile", []registry.Version{v}, nil, registry.MatchOptions{}, registry.ErrNoRows},
		{"two models", []registry.Version{v, other}, today, registry.MatchOptions{}, registry.ErrInvalid},
		{"a tolerance beyond 1", []registry.Version{v}, today, registry.MatchOptions{Tolerance: 2}, registry.ErrInvalid},
	}
	for _, tt := range tests {
		if _, err := registry.Match(tt.versions, tt.live, tt.options); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestResultJSON(t *testing.T) {
	r := registry.Result{
		Model: "churn", Live: "3", Best: "1", Rows: 1000,
		Candidates: []registry.Candidate{{Version: "1", Distance: 0.125, Tolerance: 0.2, Fits: true, Better: true, Columns: []registry.Column{{Name: "temp", Distance: 0.25, Tolerance: 0.5}}}},
		Excluded:   []registry.Excluded{{Version: "2", Reason: registry.ExcludedRejected, Detail: "bad"}},
	}
	got, err := json.Marshal(r)
	want := `{"model":"churn","live":"3","candidates":[{"version":"1","distance":0.125,"tolerance":0.2,"fits":true,"better":true,"columns":[{"name":"temp","distance":0.25,"tolerance":0.5}]}],"best":"1","excluded":[{"version":"2","reason":"rejected","detail":"bad"}]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s (%v)\nwant %s", got, err, want)
	}
	var back registry.Result
	if err := json.Unmarshal(got, &back); err != nil || back.Live != "3" || back.Best != "1" || len(back.Candidates) != 1 {
		t.Errorf("read back: %+v, %v", back, err)
	}
	none, err := registry.Match(nil, parse(t, rows(10, 0)), registry.MatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	none.Model = "churn"
	if got, _ := json.Marshal(none); string(got) != `{"model":"churn","live":null,"candidates":[],"best":null,"excluded":[]}` {
		t.Errorf("nothing: got %s", got)
	}
}

func TestParseTolerance(t *testing.T) {
	for s, want := range map[string]float64{"auto": 0, "": 0, "0.2": 0.2, "1": 1} {
		if got, err := registry.ParseTolerance(s); got != want || err != nil {
			t.Errorf("%q: got %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"0", "-1", "1.1", "NaN", "Inf", "much"} {
		if _, err := registry.ParseTolerance(s); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q: got %v, want invalid", s, err)
		}
	}
}

// A version from before predictions got a column that is made of them can still be gone back to.
func TestMatchWithoutHighest(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("temp,cat,dog\n")
	for i := range 100 {
		fmt.Fprintf(&csv, "%d,%g,%g\n", i, float64(i)/100, 1-float64(i)/100)
	}
	p, _, err := profile.FromCSV("test.csv", strings.NewReader(csv.String()), profile.CSVOptions{Predictions: []string{"cat", "dog"}})
	if err != nil || len(p.Predictions) != 3 {
		t.Fatalf("%d predictions, %v", len(p.Predictions), err)
	}
	var versions []registry.Version
	for number, predictions := range [][]profile.Column{p.Predictions[:2], p.Predictions} {
		p.Predictions = predictions
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		v := registry.Version{Model: "churn", Number: int64(number + 1), Lifecycle: v1alpha1.Registered}
		if v.Spec.Profile, err = registry.Pack(b); err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v)
	}
	for live := range int64(2) {
		r, err := registry.Match(versions, p, registry.MatchOptions{Live: live + 1, Tolerance: 0.2})
		if err != nil || len(r.Excluded) > 0 {
			t.Errorf("live %d: %v excluded, %v", live+1, r.Excluded, err)
		}
	}
}
