package protocol_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// pupil is a sheet that learns.
type pupil struct {
	*sheet
	learned []string
}

func (p *pupil) Learn(name []byte, _ int) {
	if !slices.Contains(p.learned, string(name)) {
		p.learned = append(p.learned, string(name))
	}
}

func named(k protocol.Kind, text string) protocol.Message {
	return protocol.Message{Kind: k, Body: []byte(text), HeaderLength: -1}
}

func table(k protocol.Kind, text string) protocol.Message {
	m := named(k, text)
	m.Form = protocol.FormCSV
	return m
}

// A Learner is told of names whose values are scalars, and of those that sum up other values.
func TestLearner(t *testing.T) {
	for _, c := range []struct {
		name, known string
		message     protocol.Message
		answer      bool
		learned     string
		err         error
	}{
		{
			"records", "",
			named(protocol.V1, `{"instances":[{"a":1,"b":"x"},{"c":null,"v":[1,2]}]}`),
			false, "a b c v[norm] v[p0] v[p1] v[p2] v[p3] v[p4] v[p5] v[p6] v[p7]", nil,
		},
		{"records, one known", "a", named(protocol.V1, `{"instances":[{"a":1,"b":"x"}]}`), false, "b", nil},
		{"rows", "", named(protocol.V1, `{"instances":[[1,2]]}`), false, "", protocol.ErrUnnamed},
		{
			"as many values as columns are known", "a b",
			named(protocol.V1, `{"instances":[[1,2]]}`),
			false, "", protocol.ErrUnnamed,
		},
		{"scalars", "a", named(protocol.V1, `{"instances":[1,2]}`), false, "", protocol.ErrUnnamed},
		{"columns", "", named(protocol.V1, `{"inputs":{"a":[1,2],"b":[3,4]}}`), false, "a b", nil},
		{
			"tensors", "",
			named(protocol.V2, `{"inputs":[{"name":"a","shape":[1,1],"datatype":"FP64","data":[1]},`+
				`{"name":"wide","shape":[1,2],"datatype":"FP64","data":[1,2]}]}`),
			false, "a wide[norm] wide[p0] wide[p1] wide[p2] wide[p3] wide[p4] wide[p5] wide[p6] wide[p7]", nil,
		},
		{
			"a table", "a b",
			named(protocol.V2, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}`),
			false, "", protocol.ErrUnnamed,
		},
		{
			"one tensor", "a",
			named(protocol.V2, `{"inputs":[{"name":"x","shape":[2],"datatype":"FP64","data":[1,2]}]}`),
			false, "x", nil,
		},
		{
			"split", "",
			named(protocol.MLflow, `{"dataframe_split":{"columns":["a"],"data":[[1],[2]]}}`),
			false, "a", nil,
		},
		{"csv with a header", "", table(protocol.MLflow, "a,b\n1,2\n"), false, "a b", nil},
		{"csv", "", table(protocol.CSV, "1.5\n2\n"), false, "", protocol.ErrUnnamed},
		{"broken", "", named(protocol.V1, `{"instances":[{"a":1},`), false, "a", protocol.ErrUnparsable},
		{"answer", "", named(protocol.V1, `{"predictions":[1,2]}`), true, "prediction", nil},
		{"answer, known", "prediction", named(protocol.V1, `{"predictions":[1,2]}`), true, "", nil},
		{"answer, one named output known", "out", named(protocol.V1, `{"predictions":[1,2]}`), true, "", nil},
		{"answer of vectors", "", named(protocol.V1, `{"predictions":[[1,2]]}`), true, "", protocol.ErrUnnamed},
		{"answer of records", "", named(protocol.V1, `{"predictions":[{"y":1,"p":0.5}]}`), true, "y p", nil},
		{
			"answer of outputs", "",
			named(protocol.V2, `{"outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[1]},`+
				`{"name":"p","shape":[1],"datatype":"FP64","data":[1]}]}`),
			true, "y p", nil,
		},
		{
			"answer of seldon", "",
			named(protocol.Seldon, `{"data":{"names":["y","p"],"ndarray":[[1,2]]}}`),
			true, "y p", nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p protocol.Parser
			read := p.Features
			if c.answer {
				read = p.Predictions
			}
			s := &pupil{sheet: newSheet(strings.Fields(c.known)...)}
			if err := read(c.message, s); !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
			if got := strings.Join(s.learned, " "); got != c.learned {
				t.Errorf("learned %q, want %q", got, c.learned)
			}
		})
	}
}
