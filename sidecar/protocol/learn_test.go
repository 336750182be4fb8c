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

func (p *pupil) Learn(name []byte) {
	if !slices.Contains(p.learned, string(name)) {
		p.learned = append(p.learned, string(name))
	}
}

func TestLearner(t *testing.T) {
	for _, c := range []struct {
		name    string
		known   string
		message protocol.Message
		answer  bool
		learned string
		err     error
	}{
		{"records", "", protocol.Message{Kind: protocol.V1, Body: []byte(`{"instances":[{"a":1,"b":"x"},{"c":null,"v":[1,2]}]}`)}, false, "a b c", nil},
		{"records, one known", "a", protocol.Message{Kind: protocol.V1, Body: []byte(`{"instances":[{"a":1,"b":"x"}]}`)}, false, "b", nil},
		{"rows", "", protocol.Message{Kind: protocol.V1, Body: []byte(`{"instances":[[1,2]]}`)}, false, "", protocol.ErrUnnamed},
		{"as many values as columns are known", "a b", protocol.Message{Kind: protocol.V1, Body: []byte(`{"instances":[[1,2]]}`)}, false, "", protocol.ErrUnnamed},
		{"scalars", "a", protocol.Message{Kind: protocol.V1, Body: []byte(`{"instances":[1,2]}`)}, false, "", protocol.ErrUnnamed},
		{"columns", "", protocol.Message{Kind: protocol.V1, Body: []byte(`{"inputs":{"a":[1,2],"b":[3,4]}}`)}, false, "a b", nil},
		{"tensors", "", protocol.Message{Kind: protocol.V2, Body: []byte(`{"inputs":[{"name":"a","shape":[1,1],"datatype":"FP64","data":[1]},{"name":"wide","shape":[1,2],"datatype":"FP64","data":[1,2]}]}`)}, false, "a", nil},
		{"a table", "a b", protocol.Message{Kind: protocol.V2, Body: []byte(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}`)}, false, "", protocol.ErrUnnamed},
		{"one tensor", "a", protocol.Message{Kind: protocol.V2, Body: []byte(`{"inputs":[{"name":"x","shape":[2],"datatype":"FP64","data":[1,2]}]}`)}, false, "x", nil},
		{"split", "", protocol.Message{Kind: protocol.MLflow, Body: []byte(`{"dataframe_split":{"columns":["a"],"data":[[1],[2]]}}`)}, false, "a", nil},
		{"csv with a header", "", protocol.Message{Kind: protocol.MLflow, Form: protocol.FormCSV, Body: []byte("a,b\n1,2\n")}, false, "a b", nil},
		{"csv", "", protocol.Message{Kind: protocol.CSV, Form: protocol.FormCSV, Body: []byte("1.5\n2\n")}, false, "", protocol.ErrUnnamed},
		{"broken", "", protocol.Message{Kind: protocol.V1, Body: []byte(`{"instances":[{"a":1},`)}, false, "a", protocol.ErrUnparsable},
		{"answer", "", protocol.Message{Kind: protocol.V1, Body: []byte(`{"predictions":[1,2]}`)}, true, "prediction", nil},
		{"answer, known", "prediction", protocol.Message{Kind: protocol.V1, Body: []byte(`{"predictions":[1,2]}`)}, true, "", nil},
		{"answer, one named output known", "out", protocol.Message{Kind: protocol.V1, Body: []byte(`{"predictions":[1,2]}`)}, true, "", nil},
		{"answer of vectors", "", protocol.Message{Kind: protocol.V1, Body: []byte(`{"predictions":[[1,2]]}`)}, true, "", protocol.ErrUnnamed},
		{"answer of records", "", protocol.Message{Kind: protocol.V1, Body: []byte(`{"predictions":[{"y":1,"p":0.5}]}`)}, true, "y p", nil},
		{"answer of outputs", "", protocol.Message{Kind: protocol.V2, Body: []byte(`{"outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[1]},{"name":"p","shape":[1],"datatype":"FP64","data":[1]}]}`)}, true, "y p", nil},
		{"answer of seldon", "", protocol.Message{Kind: protocol.Seldon, Body: []byte(`{"data":{"names":["y","p"],"ndarray":[[1,2]]}}`)}, true, "y p", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.message.HeaderLength = -1
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
