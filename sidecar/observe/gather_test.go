package observe_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/observe"
)

// Rows of small bodies are counted later than they come, many at a time. Whoever looks sees all of them, each in the
// slice of its own time.
func TestGathered(t *testing.T) {
	p, _, err := dataset.FromCSV("train.csv", strings.NewReader("a,b,y\n1,5,1\n2,6,2\n3,7,3\n4,8,4\n"), dataset.Options{Predictions: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	o, _ := setUp(t, 64<<20)
	if _, err := o.SetReference(p, "sha256:1"); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	begin := time.Unix(1_700_000_000, 0) // of a slice
	at := begin
	var binners []*profile.Binner
	for _, c := range append(p.Features, p.Predictions...) {
		b, err := profile.NewBinner(c)
		if err != nil {
			t.Fatal(err)
		}
		binners = append(binners, b)
	}
	want, rows := counts(binners), 0
	var slices [][][]int64
	var sliceRows []int64
	for range 8 {
		inSlice, rowsBefore := counts(binners), rows
		for range 1 + rng.IntN(60) {
			n := 1 + rng.IntN(3)
			if rng.IntN(8) == 0 {
				n = 1 + rng.IntN(40)
			}
			var in, out []string
			for range n {
				a, b, y := rng.IntN(6), rng.IntN(10), rng.IntN(6)
				for i, v := range []int{a, b, y} {
					bin := binners[i].Number(float64(v))
					if i == 0 && v == 0 {
						bin = binners[i].Missing()
					}
					want[i][bin]++
					inSlice[i][bin]++
				}
				in = append(in, strings.Replace(fmt.Sprintf("[%d,%d]", a, b), "[0,", "[null,", 1))
				out = append(out, fmt.Sprint(y))
			}
			rows += n
			body := fmt.Sprintf(`{"instances":[%s]}`, strings.Join(in, ","))
			answer := fmt.Sprintf(`{"predictions":[%s]}`, strings.Join(out, ","))
			passAt(o, post("/v1/models/m:predict", "", body), fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer), at.Add(time.Duration(rng.IntN(5000))*time.Millisecond))
			drain(o)
			if rng.IntN(10) == 0 {
				same(t, "counted", want, exported(t, o, p))
			}
		}
		slices, sliceRows = append(slices, inSlice), append(sliceRows, int64(rows-rowsBefore))
		at = at.Add(5 * time.Second)
	}
	same(t, "at the end", want, exported(t, o, p))
	for i, want := range slices {
		from := begin.Add(time.Duration(i) * 5 * time.Second)
		live := o.Live(from, from.Add(5*time.Second))
		if live.Rows != sliceRows[i] {
			t.Errorf("slice %d has %d rows, want %d", i, live.Rows, sliceRows[i])
		}
		var got [][]int64
		for _, c := range append(live.Features, live.Predictions...) {
			var bins []int64
			for _, b := range c.Bins {
				bins = append(bins, b.Count)
			}
			got = append(got, bins)
		}
		same(t, fmt.Sprint("slice ", i), want, got)
	}
}

func counts(binners []*profile.Binner) (list [][]int64) {
	for _, b := range binners {
		list = append(list, make([]int64, len(b.Names())))
	}
	return list
}

func same(t *testing.T, what string, want, got [][]int64) {
	t.Helper()
	if fmt.Sprint(want) != fmt.Sprint(got) {
		t.Errorf("%s:\nwant %v\ngot  %v", what, want, got)
	}
}

// exported is what the metrics say, by column and bin.
func exported(t *testing.T, o *observe.Observer, p *profile.Profile) (list [][]int64) {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(observe.NewCollector(o, false))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]int64{}
	for _, f := range families {
		for _, m := range f.Metric {
			if strings.HasSuffix(f.GetName(), "_observations_total") { // labels: bin, then feature or output
				b, c := m.Label[0].GetValue(), m.Label[1].GetValue()
				if m.Label[0].GetName() != "bin" {
					b, c = c, b
				}
				values[c+"/"+b] = int64(m.Counter.GetValue())
			}
		}
	}
	for _, c := range append(p.Features, p.Predictions...) {
		var bins []int64
		for _, b := range c.Bins {
			bins = append(bins, values[c.Name+"/"+b.Name])
		}
		list = append(list, bins)
	}
	return list
}
