package embedded

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// encodeValue writes a result in Prometheus' form. Points of a matrix are written
// by hand: a dashboard asks for a million of them, and reflection takes seconds.
func encodeValue(v parser.Value) (json.RawMessage, error) {
	switch v := v.(type) {
	case promql.Matrix:
		return encodeMatrix(v)
	case promql.Vector:
		if v == nil {
			v = promql.Vector{}
		}
		return json.Marshal(v)
	case promql.Scalar, promql.String:
		return json.Marshal(v)
	default:
		return nil, fmt.Errorf("result of type %T", v)
	}
}

func encodeMatrix(m promql.Matrix) (json.RawMessage, error) {
	out := []byte{'['}
	for i, series := range m {
		if i > 0 {
			out = append(out, ',')
		}
		metric, err := json.Marshal(series.Metric)
		if err != nil {
			return nil, err
		}
		out = append(out, `{"metric":`...)
		out = append(out, metric...)
		if len(series.Floats) > 0 {
			out = append(out, `,"values":[`...)
			for j, p := range series.Floats {
				if j > 0 {
					out = append(out, ',')
				}
				out = appendPoint(out, p)
			}
			out = append(out, ']')
		}
		if len(series.Histograms) > 0 {
			histograms, err := json.Marshal(series.Histograms)
			if err != nil {
				return nil, err
			}
			out = append(out, `,"histograms":`...)
			out = append(out, histograms...)
		}
		out = append(out, '}')
	}
	return append(out, ']'), nil
}

func appendPoint(out []byte, p promql.FPoint) []byte {
	out = append(out, '[')
	out = strconv.AppendFloat(out, float64(p.T)/1000, 'f', -1, 64)
	out = append(out, `,"`...)
	out = strconv.AppendFloat(out, p.F, 'f', -1, 64)
	return append(out, `"]`...)
}
