package observe_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// All that a V2 request of 20 columns costs: following, copying, parsing, bins and sketches.
func BenchmarkObserve(b *testing.B) {
	const columns = 20
	rng := rand.New(rand.NewPCG(1, 1))
	rows := func(n int, end string) string {
		var out strings.Builder
		for range n {
			for j := range columns {
				fmt.Fprintf(&out, "%.*f", 2+rng.IntN(2), rng.Float64()*float64([]int{10, 100, 1000}[j%3]))
				if j < columns-1 {
					out.WriteByte(',')
				}
			}
			out.WriteString(end)
		}
		return out.String()
	}
	head := strings.TrimPrefix(strings.Repeat(",x", columns), ",")
	for i := range columns {
		head = strings.Replace(head, "x", fmt.Sprint("c", i), 1)
	}
	p, _, err := dataset.FromCSV("train.csv", strings.NewReader(head+",y\n"+rows(500, ",1\n")), dataset.Options{Predictions: []string{"y"}})
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{3, 27, 268} {
		o := observe.New(observe.Config{
			Protocol: protocol.Auto, SampleRatio: 1, Budget: 16 << 20, MaxBody: 1 << 20,
			Metrics: metrics.New(prometheus.NewRegistry(), protocol.V2), Log: zap.NewNop(),
		})
		if _, err := o.SetReference(p, "sha256:1"); err != nil {
			b.Fatal(err)
		}
		body := fmt.Sprintf(`{"inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP64","data":[%s]}]}`, n, columns, strings.TrimSuffix(rows(n, ","), ","))
		ask := post("/v2/models/m/infer", "", body)
		b.Run(fmt.Sprint(n*columns, " cells"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pass(o, ask, "HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n")
				drain(o)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n*columns), "ns/cell")
		})
	}
}
