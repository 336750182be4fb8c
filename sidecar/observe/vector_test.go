package observe_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// series are the values of a registry, by name and labels.
func series(t testing.TB, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			values[f.GetName()+" "+strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

// watching returns an observer with a reference, its metrics, and how to show it a body and its answer.
func watching(t testing.TB, csv string, o dataset.Options, log *zap.Logger) (*observe.Observer, *prometheus.Registry, func(body, answer string)) {
	t.Helper()
	p, _, err := dataset.FromCSV("t.csv", strings.NewReader(csv), o)
	if err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewRegistry()
	ob := observe.New(observe.Config{
		Protocol: protocol.Auto, SampleRatio: 1, Budget: 64 << 20, MaxBody: 8 << 20, Metrics: metrics.New(r, protocol.V1), Log: log,
	})
	r.MustRegister(observe.NewCollector(ob, true))
	if _, err := ob.SetReference(p, "sha256:1"); err != nil {
		t.Fatal(err)
	}
	return ob, r, sender(ob)
}

func sender(o *observe.Observer) func(body, answer string) {
	return func(body, answer string) {
		pass(o, fmt.Sprintf("POST /v1/models/m:predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
			fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer))
		drain(o)
	}
}

// balanced checks that every column has counted every row once, in its bins and in the live profile.
func balanced(t *testing.T, o *observe.Observer, r *prometheus.Registry, rows float64) {
	t.Helper()
	sums := map[string]float64{}
	for name, v := range series(t, r) {
		if strings.Contains(name, "_observations_total") {
			sums[name[strings.LastIndex(name, " ")+1:]] += v
		}
	}
	for column, n := range sums {
		if n != rows {
			t.Errorf("%s has counted %v values, want %v", column, n, rows)
		}
	}
	live := o.Live(time.Now().Add(-time.Hour), time.Now())
	if _, err := live.Encode(); err != nil {
		t.Error(err)
	}
	for _, c := range append(live.Features, live.Predictions...) {
		if float64(c.Rows) != rows {
			t.Errorf("%s has %d live rows, want %v", c.Name, c.Rows, rows)
		}
	}
}

// What a model is trained on and what it is asked compare, whatever the shape: vectors, sizes, class probabilities.
func TestVectorsOfTrainingAndTraffic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	vector := func(d int) string {
		var list []string
		for range d {
			list = append(list, fmt.Sprintf("%.3f", rng.NormFloat64()))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	row := func() (emb string, size int, p, q, s float64) {
		a := 0.4 + rng.Float64()/2
		return vector(20), 100 + rng.IntN(900), a, (1 - a) / 4, 3 * (1 - a) / 4
	}
	var csv strings.Builder
	csv.WriteString("emb,image[size],p,q,s\n")
	for range 1000 {
		emb, size, p, q, s := row()
		fmt.Fprintf(&csv, "\"%s\",%d,%.4f,%.4f,%.4f\n", emb, size, p, q, s)
	}
	o, r, send := watching(t, csv.String(), dataset.Options{Predictions: []string{"p", "q", "s"}}, zap.NewNop())
	const n = 1000
	for range n {
		emb, size, p, q, s := row()
		send(fmt.Sprintf(`{"instances":[{"emb":%s,"image":{"b64":"%s"}}]}`, emb, strings.Repeat("A", (size+2)/3*4)),
			fmt.Sprintf(`{"predictions":[[%v,%v,%v]]}`, p, q, s))
	}
	balanced(t, o, r, n)
	_, reference := o.Reference()
	live := o.Live(time.Now().Add(-time.Hour), time.Now())
	d, err := profile.Compare(reference, live)
	if err != nil || d.Mean > 0.1 {
		t.Errorf("distance %v, %v", d, err)
	}
	for i, c := range live.Predictions {
		if c.Missing > 0 || c.Name != reference.Predictions[i].Name {
			t.Errorf("%s: %d missing", c.Name, c.Missing)
		}
	}
	last := live.Predictions[len(live.Predictions)-1]
	if outside := last.Bins[20].Count + last.Bins[21].Count; last.Name != "[highest]" || outside > n/100 {
		t.Errorf("%s: %d outside the training data", last.Name, outside)
	}
	m := series(t, r)
	for reason, want := range map[string]float64{"vector": 20 * n, "size": n, "category": 0, "column": 0} {
		if got := m["leeway_folded_values_total reason="+reason]; got != want {
			t.Errorf("%v folded for %s, want %v", got, reason, want)
		}
	}
	if got := m["leeway_unknown_column_values_total "]; got != 0 {
		t.Errorf("%v values unknown", got)
	}
}

// A sidecar learns vectors and sizes, and what it learned can be adopted and compared with.
func TestLearnVectors(t *testing.T) {
	o, r, send := learning(t)
	const n = 200
	for i := range n {
		send(fmt.Sprintf(`{"instances":[{"a":%d,"emb":[%d,2,3],"image":{"b64":"%s"}}]}`, i, i, strings.Repeat("A", 4*(i+1))),
			`{"predictions":[1]}`)
	}
	p, _, err := profile.Adopt(profile.AdoptOptions{}, learned(o))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range p.Features {
		if c.Missing > 0 {
			t.Errorf("%s: %d missing", c.Name, c.Missing)
		}
		names = append(names, c.Name)
	}
	want := "a emb[norm] emb[p0] emb[p1] emb[p2] emb[p3] emb[p4] emb[p5] emb[p6] emb[p7] image[size]"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := o.SetReference(p, "sha256:1"); err != nil {
		t.Fatal(err)
	}
	r.MustRegister(observe.NewCollector(o, false))
	send(`{"instances":[{"a":1,"emb":[1,2,3],"image":{"b64":"AAAA"}}]}`, `{"predictions":[1]}`)
	balanced(t, o, r, 1)
	if got := series(t, r)["leeway_folded_values_total reason=vector"]; got != 3*(n+1) {
		t.Errorf("%v values of vectors, want %v", got, 3*(n+1))
	}
}
