package registry_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// timed is a version with a profile that says how far blocks of a day lay.
func timed(t *testing.T, number int64, csv string, median, tolerance float64) registry.Version {
	t.Helper()
	p := parse(t, csv)
	q := profile.Quantiles{P50: median, P90: tolerance, P95: tolerance}
	p.Blocks = []profile.BlockDistances{{Window: "24h", Blocks: 60, Periods: 60, Rows: 1000, Distance: q, Factor: 2}}
	for i := range p.Features {
		p.Features[i].Blocks = map[string]profile.Quantiles{"24h": q}
		p.Features[i].Clustering = map[string]float64{"24h": 3}
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	packed, err := registry.Pack(b)
	if err != nil {
		t.Fatal(err)
	}
	return registry.Version{Model: "churn", Number: number, Lifecycle: v1alpha1.Registered, Spec: v1alpha1.ModelVersionSpec{Profile: packed}}
}

// lasting gives a live profile its time.
func lasting(p *profile.Profile, length time.Duration) *profile.Profile {
	from := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	p.From, p.To = new(from), new(from.Add(length))
	return p
}

func TestMatchToleranceOfBlocks(t *testing.T) {
	const day = 24 * time.Hour
	wide, narrow, untimed := timed(t, 1, rows(2000, 0.3), 0.05, 0.3), timed(t, 2, rows(2000, 0.8), 0.105, 0.11), versionOf(t, 3, rows(2000, 0.3))
	tests := []struct {
		name       string
		version    registry.Version
		length     time.Duration
		given      float64
		basis      registry.Basis
		tolerance  float64
		column     float64
		fits       bool
		margin     float64
		clustering string
	}{
		{"of blocks", wide, day, 0, registry.BasisBlocks, 0.3, 0.6, true, registry.BetterFactor, registry.ClusteringMeasured},
		{"of blocks that lie near", narrow, day, 0, registry.BasisBlocks, 0.11, 0.22, false, registry.ShortBetterFactor, registry.ClusteringMeasured},
		{"given, whatever blocks say", narrow, day, 0.25, registry.BasisGiven, 0.25, 0.625, true, registry.ShortBetterFactor, registry.ClusteringMeasured},
		{"no time in the live profile", wide, 0, 0, registry.BasisFallback, 0.2, 0.5, true, registry.BetterFactor, registry.ClusteringMeasured},
		{"no blocks", untimed, day, 0, registry.BasisFallback, 0.2, 0.5, true, registry.BetterFactor, registry.ClusteringAssumed},
		{"a longer window than any that was measured", wide, 3 * day, 0, registry.BasisFallback, 0.2, 0.5, true, registry.BetterFactor, registry.ClusteringMeasured},
	}
	for _, tt := range tests {
		today := parse(t, rows(1000, 0))
		if tt.length > 0 {
			lasting(today, tt.length)
		}
		r, err := registry.Match([]registry.Version{tt.version}, today, registry.MatchOptions{Tolerance: tt.given})
		if err != nil {
			t.Fatal(err)
		}
		c := r.Candidates[0]
		if c.Basis != tt.basis || c.Tolerance != tt.tolerance || c.Columns[0].Tolerance != tt.column || c.Fits != tt.fits || c.Margin != tt.margin || r.Length != tt.length {
			t.Errorf("%s: %+v", tt.name, c)
		}
		if c.Calibrated() != (tt.basis != registry.BasisFallback) {
			t.Errorf("%s: calibrated is %v", tt.name, c.Calibrated())
		}
		if i := c.Interval; i.Clustering != tt.clustering || !(i.Low < c.Distance && c.Distance < i.High) {
			t.Errorf("%s: distance %v, interval %+v", tt.name, c.Distance, i)
		}
	}
}

// A margin of 0.7 where 0.6 is asked for is not enough.
func TestMatchShortMargin(t *testing.T) {
	live, today := versionOf(t, 1, rows(4000, 0.62)), lasting(parse(t, rows(4000, 0)), 24*time.Hour)
	for _, tt := range []struct {
		median float64
		best   string
	}{{0.05, "2"}, {0.15, ""}} {
		near := timed(t, 2, rows(4000, 0.36), tt.median, 0.3)
		r, err := registry.Match([]registry.Version{live, near}, today, registry.MatchOptions{Live: 1})
		if err != nil {
			t.Fatal(err)
		}
		if ratio := r.Candidates[0].Distance / r.Candidates[1].Distance; ratio < 0.6 || ratio > 0.7 || r.Best != tt.best {
			t.Errorf("blocks lie %v apart: %v of live's distance, best %q, want %q", tt.median, ratio, r.Best, tt.best)
		}
	}
}

func TestMatchFindings(t *testing.T) {
	versions := []registry.Version{versionOf(t, 1, rows(2000, 0)), versionOf(t, 2, rows(2000, 0)), versionOf(t, 3, rows(2000, 3))}
	findings := map[int64]registry.Finding{
		1: {registry.ExcludedArtifact, "s3://models/1: artifact is missing"},
		2: {registry.ExcludedDigest, "s3://models/2: artifact has another digest"},
		3: {registry.ExcludedDigest, "live is compared all the same"},
	}
	r, err := registry.Match(versions, parse(t, rows(1000, 0)), registry.MatchOptions{Live: 3, Tolerance: 0.2, Findings: findings})
	if err != nil {
		t.Fatal(err)
	}
	want := []registry.Excluded{
		{Version: "2", Reason: "artifact_digest", Detail: findings[2].Detail},
		{Version: "1", Reason: "artifact_missing", Detail: findings[1].Detail},
	}
	if d := cmp.Diff(want, r.Excluded); d != "" || r.Best != "" || ranked(r) != "3" {
		t.Errorf("best %q, ranked %s, excluded %s", r.Best, ranked(r), d)
	}
}

// Schema differences are told in words.
func TestMatchSchemaWords(t *testing.T) {
	csvOf := func(header string) string {
		n := strings.Count(header, ",") + 1
		return header + "\n" + strings.Repeat(strings.TrimSuffix(strings.Repeat("1,", n), ",")+"\n"+strings.TrimSuffix(strings.Repeat("2,", n), ",")+"\n", 20)
	}
	tests := []struct{ trained, want string }{
		{"b,a,prediction", `the same features in another order: feature 1 is "b", in the data "a"`},
		{"a,b,c,prediction", `its feature "c" is not in the data`},
		{"a,prediction", `it has no feature "b", which is in the data`},
		{"c,d,prediction", `its features "c", "d" are not in the data; it has no features "a", "b", which are in the data`},
		{"a,b,c,d,e,f,g,h,i,prediction", `its features "c", "d", "e", "f", "g", 2 more are not in the data`},
	}
	today := parse(t, csvOf("a,b,prediction"))
	for _, tt := range tests {
		r, err := registry.Match([]registry.Version{versionOf(t, 1, csvOf(tt.trained))}, today, registry.MatchOptions{})
		if err != nil || len(r.Excluded) != 1 || r.Excluded[0].Reason != registry.ExcludedSchema || r.Excluded[0].Detail != tt.want {
			t.Errorf("%s: %v, %+v, want %s", tt.trained, err, r.Excluded, tt.want)
		}
	}
	words := strings.ReplaceAll(csvOf("a,b,prediction"), "\n1,", "\none,")
	r, err := registry.Match([]registry.Version{versionOf(t, 1, words)}, today, registry.MatchOptions{})
	if want := `feature "a" is a category, in the data a number`; err != nil || r.Excluded[0].Detail != want {
		t.Errorf("%v, %+v, want %s", err, r.Excluded, want)
	}
	live := versionOf(t, 1, csvOf("a,b,prediction"))
	other := versionOf(t, 2, strings.ReplaceAll(csvOf("a,b,prediction"), ",1\n", ",yes\n"))
	r, err = registry.Match([]registry.Version{live, other}, today, registry.MatchOptions{Live: 1})
	if want := `prediction "prediction" is a category, in the version in service a number`; err != nil || r.Excluded[0].Detail != want {
		t.Errorf("%v, %+v, want %s", err, r.Excluded, want)
	}
}

// How the worst columns differ: shares and median.
func TestMatchChange(t *testing.T) {
	var trained, today strings.Builder
	for _, w := range []*strings.Builder{&trained, &today} {
		w.WriteString("temp,carrier,prediction\n")
	}
	for i := range 400 {
		fmt.Fprintf(&trained, "%d,%s,1\n", i%4, []string{"UA", "AA"}[i%2])
		fmt.Fprintf(&today, "%d,%s,1\n", 1+i%3, []string{"UA", "B6"}[i%2])
	}
	r, err := registry.Match([]registry.Version{versionOf(t, 1, trained.String())}, parse(t, today.String()), registry.MatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	carrier, temp := r.Candidates[0].Columns[0].Change, r.Candidates[0].Columns[1].Change
	wantCarrier := &registry.Change{Bins: []registry.BinChange{
		{Bin: "00", Values: "AA", Shift: registry.Shift{Version: 0.5}},
		{Bin: "unseen", Shift: registry.Shift{Data: 0.5}},
	}}
	if d := cmp.Diff(wantCarrier, carrier); d != "" {
		t.Errorf("carrier: %s", d)
	}
	first := registry.BinChange{Bin: "00", Values: "0 to 0.5", Shift: registry.Shift{Version: 0.25}}
	if temp == nil || temp.Bins[0] != first || *temp.Median != (registry.Shift{Version: 1, Data: 2}) {
		t.Errorf("temp: %+v, want first %+v and the median from 1 to 2", temp, first)
	}
}

// An updated matcher answers as a new one does, also after many versions went.
func TestMatcherUpdate(t *testing.T) {
	var all []registry.Version
	for i := range int64(9) {
		all = append(all, versionOf(t, i+1, rows(300, float64(i)/3)))
	}
	changed := versionOf(t, 2, rows(300, 5))
	steps := [][]registry.Version{
		all[:3], all, all[4:6], nil, all[:5],
		append([]registry.Version{with(all[0], func(v *registry.Version) { v.Lifecycle = v1alpha1.Rejected }), changed}, all[2:5]...),
	}
	today := parse(t, rows(500, 0))
	m, err := registry.NewMatcher(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, versions := range steps {
		if err := m.Update(versions); err != nil {
			t.Fatal(err)
		}
		got, err := m.Match(today, registry.MatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := registry.Match(versions, today, registry.MatchOptions{})
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("step %d: %v %s", i, err, d)
		}
	}
	other := with(all[0], func(v *registry.Version) { v.Model = "other" })
	if err := m.Update([]registry.Version{all[1], other}); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("two models: %v", err)
	}
}

// What is asked at the same time does not disturb each other.
func TestMatcherConcurrent(t *testing.T) {
	m, err := registry.NewMatcher([]registry.Version{versionOf(t, 1, rows(300, 0)), versionOf(t, 2, rows(300, 1))})
	if err != nil {
		t.Fatal(err)
	}
	today := []*profile.Profile{parse(t, rows(500, 0)), parse(t, rows(500, 1)), parse(t, "x,prediction\n1,1\n2,2\n")}
	var results [9]registry.Result
	var wait sync.WaitGroup
	for i := range results {
		wait.Go(func() { results[i], _ = m.Match(today[i%3], registry.MatchOptions{}) })
	}
	wait.Wait()
	for i := range results {
		if !cmp.Equal(results[i], results[i%3]) {
			t.Errorf("question %d was answered in two ways", i)
		}
	}
	if nearest := []string{results[0].Candidates[0].Version, results[1].Candidates[0].Version}; !slices.Equal(nearest, []string{"1", "2"}) || len(results[2].Excluded) != 2 {
		t.Errorf("nearest %v, excluded %v", nearest, results[2].Excluded)
	}
}

// A version takes some 30 KB with 50 columns.
func TestMatcherMemory(t *testing.T) {
	const versions = 200
	list, today := manyVersions(t, versions, 50)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m, err := registry.NewMatcher(list)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / versions
	t.Logf("%d bytes a version", each)
	if each > 40<<10 {
		t.Errorf("%d bytes a version", each)
	}
	if r, err := m.Match(today, registry.MatchOptions{}); err != nil || len(r.Candidates) != versions {
		t.Errorf("%d candidates, %v", len(r.Candidates), err)
	}
}

// Of columns that differ by the same, the first by name is first, whatever their
// order in the data.
func TestMatchColumnOrder(t *testing.T) {
	columns := func(step int) string {
		var b strings.Builder
		b.WriteString("c,a,b,prediction\n")
		for i := range 400 {
			fmt.Fprintf(&b, "%d,%d,%d,1\n", i%4+step, i%4+step, i%4)
		}
		return b.String()
	}
	r, err := registry.Match([]registry.Version{versionOf(t, 1, columns(0))}, parse(t, columns(1)), registry.MatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, c := range r.Candidates[0].Columns {
		order = append(order, c.Name)
	}
	if !slices.Equal(order, []string{"a", "c", "b"}) {
		t.Errorf("%v", order)
	}
}
