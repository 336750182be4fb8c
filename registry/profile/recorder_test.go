package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
)

var oneNumber = []profile.Column{{Name: "n", Type: profile.Number}}

func recorder(tb testing.TB, features, predictions []profile.Column) *profile.Recorder {
	tb.Helper()
	r, err := profile.NewRecorder(features, predictions)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// Categories whose names are not kept are told of, once, also when slices are merged later.
func TestRecorderFolded(t *testing.T) {
	r := recorder(t, []profile.Column{{Name: "c", Type: profile.Category}}, nil)
	for slice := range 3 {
		r.Lock(noon.Add(time.Duration(slice) * 5 * time.Second))
		for i := range 900 + 200*(slice&1) { // the second has 100 too many
			r.Feature(0).Category(fmt.Sprint(slice, "-", i))
		}
		if want := int64(100 * min(slice, 1)); r.Folded() != want {
			t.Errorf("slice %d: %d folded, want %d", slice, r.Folded(), want)
		}
		r.Unlock()
	}
	r.Lock(noon.Add(10 * time.Minute)) // 900, 1000 and 900 are one slice now
	r.Unlock()
	r.Tidy()
	c := r.Profile(noon, noon.Add(time.Hour)).Features[0]
	if r.Folded() != 1900 || c.Folded != 1900 || len(c.Categories) != profile.MaxCategories {
		t.Errorf("%d told, %d folded, %d named", r.Folded(), c.Folded, len(c.Categories))
	}
}

// A row a second for 30 hours: whatever window is asked for, it is rounded
// outward to slices of 5 s, 1 min or 15 min by its age, and its rows are those
// of the times it states.
func TestRecorderSlices(t *testing.T) {
	r := recorder(t, oneNumber, nil)
	const hours = 30
	end := noon.Add(hours * time.Hour)
	for i := range hours * 3600 {
		r.Lock(noon.Add(time.Duration(i) * time.Second))
		r.AddRows(1)
		r.Feature(0).Number(float64(i))
		r.Unlock()
	}
	for _, test := range []struct{ ago, long, wantFrom, wantTo time.Duration }{
		{20 * time.Second, 20 * time.Second, 20 * time.Second, 0},
		{18 * time.Second, 10 * time.Second, 20 * time.Second, 5 * time.Second},
		{90 * time.Second, 90 * time.Second, 120 * time.Second, 0}, // to its minute
		{150 * time.Second, 10 * time.Second, 180 * time.Second, 120 * time.Second},
		{30*time.Minute + time.Second, 10 * time.Minute, 31 * time.Minute, 20 * time.Minute},
		{5*time.Hour + time.Minute, 2 * time.Hour, 5*time.Hour + 15*time.Minute, 3 * time.Hour},
		{23 * time.Hour, 23 * time.Hour, 23 * time.Hour, 0},
	} {
		from := end.Add(-test.ago)
		p := r.Profile(from, from.Add(test.long))
		got := [2]time.Duration{end.Sub(*p.From), end.Sub(*p.To)}
		if want := [2]time.Duration{test.wantFrom, test.wantTo}; got != want && got != [2]time.Duration{want[0], want[1] + time.Second} {
			t.Errorf("%v ago for %v: from and to %v ago, want %v", test.ago, test.long, got, want)
		}
		if rows := int64((test.wantFrom - test.wantTo) / time.Second); p.Rows != rows || p.Features[0].Rows != rows {
			t.Errorf("%v ago for %v: %d and %d rows, want %d", test.ago, test.long, p.Rows, p.Features[0].Rows, rows)
		}
		reread(t, p)
	}
	p := r.Profile(noon, end)
	end = end.Add(7 * time.Minute) // a quarter of an hour stays in minutes until all of it is an hour old
	r.Lock(end)
	r.Unlock()
	if q := r.Profile(end.Add(-58*time.Minute), end.Add(-57*time.Minute)); q.Rows != 60 {
		t.Errorf("a minute 58 minutes ago: %d rows, want 60", q.Rows)
	}
	if kept := time.Duration(p.Rows) * time.Second; kept < 24*time.Hour || kept > 24*time.Hour+15*time.Minute {
		t.Errorf("%v are kept, want a day", kept)
	}
}

func TestRecorderStatesTheTimeItHasSeen(t *testing.T) {
	r := recorder(t, oneNumber, nil)
	if p := r.Profile(noon.Add(-time.Hour), noon); p.Rows != 0 || len(p.Features) != 1 {
		t.Errorf("before the first row: %+v", p)
	}
	for _, at := range []time.Duration{2 * time.Second, 11 * time.Second, 4 * time.Second} { // the last out of order
		r.Lock(noon.Add(at))
		r.AddRows(1)
		r.Feature(0).Missing()
		r.Unlock()
	}
	p := reread(t, r.Profile(noon.Add(-time.Hour), noon.Add(10*time.Second)))
	if from, to := p.From.Sub(noon), p.To.Sub(noon); from != 2*time.Second || to != 10*time.Second || p.Rows != 1 {
		t.Errorf("from %v to %v: %d rows; want 2 s to 10 s: 1", from, to, p.Rows)
	}
	p = reread(t, r.Profile(noon.Add(11*time.Second), noon.Add(12*time.Second)))
	if from, to := p.From.Sub(noon), p.To.Sub(noon); from != 10*time.Second || to != 12*time.Second || p.Rows != 2 {
		t.Errorf("from %v to %v: %d rows; want 10 s to 12 s: 2", from, to, p.Rows)
	}
}

// Values that don't suit the type of their column are counted all the same.
func TestSeriesTypes(t *testing.T) {
	training, _ := examples(t) // n: 1, 2, 2, 4; c: a, b, b, missing
	r := recorder(t, training.Features, training.Features)
	names := func(i int) string { return training.Features[0].Bins[i].Name }
	r.Lock(noon)
	n, c := r.Feature(0), r.Output(1)
	for _, test := range []struct {
		got  int
		want string
	}{
		{n.Number(1), "00"}, {n.Category(" 4 "), "02"}, {n.Category("x"), "missing"}, {n.Category(""), "missing"},
		{n.Number(math.NaN()), "missing"}, {n.Number(math.Inf(1)), "far_over"}, {n.Number(1e300), "far_over"},
		{n.Category("-Inf"), "far_under"}, {n.Missing(), "missing"}, {n.Number(0), "under"}, {n.Number(7), "over"},
		{n.Bool(true), "00"}, {n.Bool(false), "under"},
	} {
		if names(test.got) != test.want {
			t.Errorf("counted into %s, want %s", names(test.got), test.want)
		}
	}
	if i := c.Number(7); training.Features[1].Bins[i].Name != profile.Unseen {
		t.Errorf("a number is category %v", training.Features[1].Bins[i])
	}
	c.Category("")
	r.AddRows(13)
	r.Unlock()
	p := reread(t, r.Profile(noon, noon))
	if f := p.Features[0]; f.Rows != 13 || f.Missing != 4 {
		t.Errorf("%d rows, %d missing", f.Rows, f.Missing)
	}
	if k := p.Predictions[1]; k.Missing != 1 || k.Categories[0].Name != "7" {
		t.Errorf("%+v", k)
	}
}

// A flood of categories takes no more than its share of memory; rows are
// folded, not lost, and the reference's bins stay exact.
func TestRecorderBoundsCategories(t *testing.T) {
	training, _ := examples(t)
	r := recorder(t, training.Features[1:], nil)
	const each = 4000
	for minute := range 3 {
		r.Lock(noon.Add(time.Duration(minute) * time.Minute))
		for i := range each {
			r.AddRows(2)
			r.Feature(0).Category(fmt.Sprint("flood", minute, i))
			r.Feature(0).Category("b")
		}
		r.Unlock()
	}
	p := reread(t, r.Profile(noon, noon.Add(time.Hour)))
	c := p.Features[0]
	if c.Categories[0] != (profile.CategoryCount{Name: "b", Count: 3 * each}) || len(c.Categories) != profile.MaxCategories {
		t.Errorf("%d categories, the first %v", len(c.Categories), c.Categories[0])
	}
	if want := int64(3*each - profile.MaxCategories + 1); c.Folded != want {
		t.Errorf("%d folded, want %d", c.Folded, want)
	}
	for _, b := range c.Bins {
		if b.Name == profile.Unseen && b.Count != 3*each {
			t.Errorf("unseen counts %d, want %d", b.Count, 3*each)
		}
	}
}

// The category names given to a series may be overwritten afterwards.
func TestRecorderCopiesNames(t *testing.T) {
	r := recorder(t, []profile.Column{{Name: "c", Type: profile.Category}}, nil)
	buffer := []byte("red")
	r.Lock(noon)
	r.Feature(0).Category(unsafeString(buffer))
	copy(buffer, "xyz")
	r.Unlock()
	if name := r.Profile(noon, noon).Features[0].Categories[0].Name; name != "red" {
		t.Errorf("category %q, want red", name)
	}
}

// Once a slice has its sketch and categories, counting does not allocate but
// when the sketch compacts, which is once in hundreds of values.
func TestRecordingDoesNotAllocate(t *testing.T) {
	training, _ := examples(t)
	r := recorder(t, training.Features, nil)
	r.Lock(noon)
	defer r.Unlock()
	n, c := r.Feature(0), r.Feature(1)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		n.Number(rng.Float64())
	}
	c.Category("a")
	for name, f := range map[string]func(){
		"number":   func() { n.Number(rng.Float64()) },
		"category": func() { c.Category("a") },
		"missing":  func() { n.Missing() },
	} {
		if allocs := testing.AllocsPerRun(10_000, f); allocs > 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
	b, err := profile.NewBinner(training.Features[0])
	if err != nil {
		t.Fatal(err)
	}
	if allocs := testing.AllocsPerRun(1000, func() { b.Number(2); b.Category("3") }); allocs > 0 {
		t.Errorf("binner: %v allocations", allocs)
	}
}

// A day under load, 50 rows a second: what the recorder's comment promises.
func TestRecorderMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	r := recorder(t, oneNumber, nil)
	before := heap()
	for i := range 24 * 3600 {
		r.Lock(noon.Add(time.Duration(i) * time.Second))
		for range 50 {
			r.AddRows(1)
			r.Feature(0).Number(rng.NormFloat64())
		}
		r.Unlock()
	}
	size := heap() - before
	t.Logf("%d kB a column", size>>10)
	if size > 1500<<10 {
		t.Errorf("%d kB a column", size>>10)
	}
	if p := reread(t, r.Profile(noon, noon.Add(25*time.Hour))); p.Rows != 24*3600*50 {
		t.Errorf("%d rows", p.Rows)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What a boundary leaves out is at most a slice, and nothing older comes in.
func TestBoundary(t *testing.T) {
	for _, test := range []struct{ ago, want time.Duration }{
		{3 * time.Second, 0},
		{20 * time.Second, 20 * time.Second},
		{18 * time.Second, 15 * time.Second},
		{61 * time.Second, time.Minute},
		{59*time.Minute + time.Second, 59 * time.Minute},
		{61 * time.Minute, time.Hour},
		{5*time.Hour + time.Minute, 5 * time.Hour},
	} {
		if got := noon.Sub(profile.Boundary(noon.Add(-test.ago), noon)); got != test.want {
			t.Errorf("%v ago: a boundary %v ago, want %v", test.ago, got, test.want)
		}
	}
	r := recorder(t, oneNumber, nil)
	for i := range 100 {
		r.Lock(noon.Add(time.Duration(i) * time.Second))
		r.AddRows(1)
		r.Feature(0).Number(float64(i))
		r.Unlock()
	}
	now := noon.Add(100 * time.Second)
	for _, late := range []time.Duration{0, 15 * time.Second} {
		asked := now.Add(-late)
		for i := range 100 {
			from := profile.Boundary(noon.Add(time.Duration(i)*time.Second), asked)
			if p := r.Profile(from, now); from.Before(now) && p.From.Before(from) {
				t.Fatalf("from %v, read %v late: the profile begins at %v", from, late, p.From)
			}
		}
	}
}

// Whoever counts without waiting, and has somebody else tidy up now and then,
// counts the same; others may read meanwhile.
func TestRecorderTidy(t *testing.T) {
	waits, tries := recorder(t, oneNumber, nil), recorder(t, oneNumber, nil)
	due, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		for range due {
			tries.Tidy()
			tries.Profile(noon, noon.Add(time.Hour))
		}
	}()
	refused := 0
	at := noon
	for range 2000 {
		at = at.Add(time.Duration(rand.IntN(30_000)) * time.Millisecond)
		waits.Lock(at)
		waits.AddRows(1)
		waits.Feature(0).Number(1)
		waits.Unlock()
		for {
			ok, untidy := tries.TryLock(at)
			if untidy {
				select {
				case due <- struct{}{}:
				default:
				}
			}
			if ok {
				break
			}
			refused++
			runtime.Gosched()
		}
		tries.AddRows(1)
		tries.Feature(0).Number(1)
		tries.Unlock()
	}
	close(due)
	<-done
	for _, window := range []time.Duration{time.Second, 45 * time.Second, 10 * time.Minute, 3 * time.Hour, 24 * time.Hour} {
		a, b := waits.Profile(at.Add(-window), at), tries.Profile(at.Add(-window), at)
		if a.Rows != b.Rows || a.Features[0].Rows != b.Features[0].Rows || !a.From.Equal(*b.From) || !a.To.Equal(*b.To) {
			t.Errorf("%v: %d rows of %v to %v, want %d of %v to %v", window, b.Rows, b.From, b.To, a.Rows, a.From, a.To)
		}
	}
	t.Logf("refused %d times", refused)
}
