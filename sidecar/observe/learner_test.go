package observe_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// memory is the sidecar's default.
const memory = 16 << 20

// learning returns an observer that learns, and how to show it a body and its answer.
func learning(t testing.TB) (*observe.Observer, *prometheus.Registry, func(body, answer string)) {
	t.Helper()
	r := prometheus.NewRegistry()
	o := observe.New(observe.Config{
		Protocol: protocol.Auto, SampleRatio: 1, Budget: 16 << 20, MaxBody: 1 << 20, LearnBudget: memory,
		Metrics: metrics.New(r, protocol.V1, protocol.Other), Log: zap.NewNop(),
	})
	return o, r, func(body, answer string) {
		pass(o, fmt.Sprintf("POST /v1/models/m:predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
			fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer))
		drain(o)
	}
}

func learned(o *observe.Observer) *profile.Profile {
	return o.Learned(time.Now().Add(-time.Hour), time.Now())
}

func TestLearn(t *testing.T) {
	o, r, send := learning(t)
	if p := learned(o); p != nil {
		t.Errorf("of nothing: %v", p)
	}
	send(`{"instances":[{"n":null,"x":1,"c":"a"},{"x":2,"c":"b"}]}`, `{"predictions":[0.1,0.2]}`)
	send(`{"instances":[[1,2,3,4]]}`, `{"predictions":[0.3]}`)        // no names: only its answer is learned
	send(`{"instances":[{"x":3,"late":1}]}`, `{"predictions":[0.4]}`) // a name that is new
	send(`{"instances":[{"x":"text","n":4,"late":2}`, ``)             // unreadable
	send(`{"instances":[{"x":5,"n":6,"late":3,"c":true}]}`, `{"predictions":[0.5]}`)
	p := learned(o)
	if p == nil {
		t.Fatal("nothing learned")
	}
	var got []string
	for _, c := range append(p.Features, p.Predictions...) {
		got = append(got, fmt.Sprintf("%s %s %d-%d", c.Name, c.Type, c.Rows, c.Missing))
	}
	want := "n number 4-3, x number 4-0, c category 4-1, late number 4-3, prediction number 5-0"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
	if _, err := p.Encode(); err != nil {
		t.Error(err)
	}
	for result, n := range map[metrics.Result]float64{
		metrics.Learned: 3, metrics.NoReference: 1, metrics.Unparsable: 1, metrics.Observed: 0,
	} {
		if v := captures(t, r, result); v != n {
			t.Errorf("%v %s, want %v", v, result, n)
		}
	}
}

// The reference ends the learning: what was learned is let go, and counts begin.
func TestLearnUntilReference(t *testing.T) {
	o, r, send := learning(t)
	send(`{"instances":[{"a":1}]}`, `{"predictions":[1]}`)
	if _, err := o.SetReference(reference(t), "sha256:1"); err != nil {
		t.Fatal(err)
	}
	if p := learned(o); p != nil {
		t.Errorf("learned still: %v", p)
	}
	send(`{"instances":[{"a":1}]}`, `{"predictions":[1]}`)
	live := o.Live(time.Now().Add(-time.Hour), time.Now())
	if live.Rows != 1 || len(live.Features[0].Bins) == 0 {
		t.Errorf("%d rows, %d bins", live.Rows, len(live.Features[0].Bins))
	}
	if l, n := captures(t, r, metrics.Learned), captures(t, r, metrics.Observed); l != 1 || n != 1 {
		t.Errorf("%v learned and %v observed, want 1 and 1", l, n)
	}
}

// Columns may come while the profile is asked for.
func TestLearnWhileRead(t *testing.T) {
	o, _, send := learning(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 300 {
			send(fmt.Sprintf(`{"instances":[{"n%d":%d,"n%d":"x"}]}`, i, i, i-1), `{"predictions":[1]}`)
		}
	}()
	for {
		if p := learned(o); p != nil {
			if _, err := p.Encode(); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// Whoever sends names without end fills a bounded memory.
func TestLearnBounded(t *testing.T) {
	var before, after runtime.MemStats
	o, _, send := learning(t)
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	runtime.ReadMemStats(&before)
	for i := range 200 { // 10,000 names, each twice: a column begins with its second body
		var b strings.Builder
		b.WriteString(`{"instances":[{`)
		for j := range 100 {
			fmt.Fprintf(&b, `%s"%d-%s":"%d"`, strings.Repeat(",", min(j, 1)), i/2*100+j, strings.Repeat("n", 200), j)
		}
		send(b.String()+`}]}`, `{"predictions":[1]}`)
	}
	for i := range 40 { // 80,000 categories, too
		var b strings.Builder
		for row := range 20 {
			b.WriteString(`,{`)
			for j := range 100 {
				fmt.Fprintf(&b, `%s"%d-%s":"%d-%d-%d-%s"`, strings.Repeat(",", min(j, 1)),
					j, strings.Repeat("n", 200), i, row, j, strings.Repeat("v", 90))
			}
			b.WriteString(`}`)
		}
		send(`{"instances":[`+b.String()[1:]+`]}`, `{"predictions":[1]}`)
	}
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	runtime.ReadMemStats(&after)
	p := learned(o)
	if n := len(p.Features) + len(p.Predictions); n != profile.MaxColumns {
		t.Errorf("%d columns, want %d", n, profile.MaxColumns)
	}
	if _, err := p.Encode(); err != nil {
		t.Error(err)
	}
	var kept, folded int64
	for _, c := range p.Features {
		kept, folded = kept+int64(len(c.Categories)), folded+c.Folded
	}
	if kept > memory/8/profile.LearnedName || kept+folded < 80_000 {
		t.Errorf("%d categories kept, %d rows folded", kept, folded)
	}
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d KiB held", held>>10)
	if held > memory {
		t.Errorf("%d bytes held", held)
	}
}

// Of numbers, which take most, only so many are learned as there is memory for; others still are.
func TestLearnBudget(t *testing.T) {
	o, _, send := learning(t)
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, `"n%d":%d,`, i, i)
	}
	send(`{"instances":[{`+b.String()+`"c":"x"}]}`, `{"predictions":["y"]}`)
	p := learned(o)
	n := len(p.Features)
	last, most := p.Features[n-1].Name, memory/profile.LearnedNumbers
	if n < 100 || n > most || last != "c" || len(p.Predictions) != 1 {
		t.Errorf("%d features, the last is %s; %d predictions", n, last, len(p.Predictions))
	}
}

// A full sketch of each of two days takes what it is reckoned with.
func TestLearnMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a thousand sketches")
	}
	r := profile.NewLearner(0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	runtime.ReadMemStats(&before)
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	const columns, rows = 20, 200_000
	r.Lock(day)
	for i := range columns {
		r.Learn(profile.Column{Name: fmt.Sprint(i), Type: profile.Number})
	}
	r.Unlock()
	for hour := 0; hour < 72; hour += 24 {
		r.Lock(day.Add(time.Duration(hour) * time.Hour))
		r.AddRows(rows)
		for i := range columns {
			for row := range rows {
				r.Feature(i).Number(float64(row*(i+7919)%rows) / 7)
			}
		}
		r.Unlock()
	}
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / columns
	t.Logf("%d bytes a column", each)
	if each > profile.LearnedNumbers {
		t.Errorf("%d bytes a column", each)
	}
	if p := r.Profile(day, day.Add(72*time.Hour)); p.Rows != 2*rows {
		t.Errorf("%d rows, want those of two days", p.Rows)
	}
}
