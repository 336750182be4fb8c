package protocol_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// cells is n numbers of three to six digits, written with commas between them.
func cells(n int) string {
	rng := rand.New(rand.NewPCG(1, 1))
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.FormatFloat(rng.Float64()*float64([]int{10, 100, 1000}[rng.IntN(3)]), 'f', 2+rng.IntN(2), 64)
	}
	return strings.Join(list, ",")
}

func benchmark(b *testing.B, rows int, m protocol.Message) {
	b.Run(fmt.Sprint(rows*20, " cells"), func(b *testing.B) {
		var p protocol.Parser
		s := &blind{20}
		b.ReportAllocs()
		for b.Loop() {
			if err := p.Features(m, s); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows*20), "ns/cell")
	})
}

var ladder = []int{3, 27, 268}

func BenchmarkV2(b *testing.B) {
	for _, rows := range ladder {
		benchmark(b, rows, protocol.Message{Kind: protocol.V2, Body: fmt.Appendf(nil,
			`{"inputs":[{"name":"x","shape":[%d,20],"datatype":"FP64","data":[%s]}]}`, rows, cells(rows*20))})
	}
}

func BenchmarkV1(b *testing.B) {
	for _, rows := range ladder {
		row := "[" + cells(20) + "],"
		benchmark(b, rows, protocol.Message{Kind: protocol.V1, Body: fmt.Appendf(nil,
			`{"instances":[%s]}`, strings.TrimSuffix(strings.Repeat(row, rows), ","))})
	}
}

func BenchmarkRecords(b *testing.B) {
	for _, rows := range ladder {
		row := "{"
		for i, cell := range strings.Split(cells(20), ",") {
			row += fmt.Sprintf(`"column%d": %s, `, i, cell)
		}
		row = strings.TrimSuffix(row, ", ") + "},"
		benchmark(b, rows, protocol.Message{Kind: protocol.MLflow, Body: fmt.Appendf(nil,
			`{"dataframe_records":[%s]}`, strings.TrimSuffix(strings.Repeat(row, rows), ","))})
	}
}

func BenchmarkCSV(b *testing.B) {
	for _, rows := range ladder {
		benchmark(b, rows, protocol.Message{Kind: protocol.CSV, Form: protocol.FormCSV, Body: []byte(strings.Repeat(cells(20)+"\n", rows))})
	}
}

func BenchmarkBinary(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, datatype := range []string{"FP32", "FP64"} {
		b.Run(datatype, func(b *testing.B) {
			for _, rows := range ladder {
				var raw []byte
				for range rows * 20 {
					v := math.Round(rng.NormFloat64()*1e4) / 100
					if datatype == "FP32" {
						raw = append(raw, le(float32(v))...)
					} else {
						raw = append(raw, le(v)...)
					}
				}
				benchmark(b, rows, extension(fmt.Sprintf(
					`{"inputs":[{"name":"x","shape":[%d,20],"datatype":%q,"parameters":{"binary_data_size":%d}}]}`,
					rows, datatype, len(raw)), raw))
			}
		})
	}
}

// blind is a Table of so many columns that hears nothing.
type blind struct{ width int }

func (s *blind) Width() int { return s.width }
func (*blind) Lookup(name []byte) int {
	n, err := strconv.Atoi(strings.TrimPrefix(string(name), "column"))
	if err != nil {
		return -1
	}
	return n
}
func (*blind) Unknown(int)                 {}
func (*blind) Rows(int)                    {}
func (*blind) Derived() protocol.Derived   { return protocol.Derived{} }
func (*blind) Folded(protocol.Fold, int)   {}
func (*blind) Value(int, protocol.Value)   {}
func (*blind) Numbers(int, []float64, int) {}
