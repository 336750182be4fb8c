package protocol_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

func BenchmarkV2(b *testing.B) {
	for _, rows := range []int{3, 27, 268} {
		body := `{"inputs":[{"name":"x","shape":[` + fmt.Sprint(rows) + `,20],"datatype":"FP64","data":[` + strings.TrimSuffix(strings.Repeat("123.456,", rows*20), ",") + `]}]}`
		b.Run(fmt.Sprint(rows*20, " cells"), func(b *testing.B) {
			var p protocol.Parser
			s := &blind{20}
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Features(protocol.Message{Kind: protocol.V2, Body: []byte(body)}, s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows*20), "ns/cell")
		})
	}
}

type blind struct{ width int }

func (s *blind) Width() int                { return s.width }
func (*blind) Lookup([]byte) int           { return -1 }
func (*blind) Unknown(int)                 {}
func (*blind) Rows(int)                    {}
func (*blind) Value(int, protocol.Value)   {}
func (*blind) Numbers(int, []float64, int) {}
