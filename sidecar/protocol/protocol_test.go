package protocol_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// sheet is a Table that writes down what it is told.
type sheet struct {
	names   []string
	columns map[string][]string
	unknown int
	n       int
}

func newSheet(names ...string) *sheet { return &sheet{names: names, columns: map[string][]string{}} }

func (s *sheet) Width() int             { return len(s.names) }
func (s *sheet) Lookup(name []byte) int { return slices.Index(s.names, string(name)) }
func (s *sheet) Unknown(n int)          { s.unknown += n }
func (s *sheet) Rows(n int)             { s.n += n }
func (s *sheet) Numbers(column int, values []float64, stride int) {
	for i := 0; i < len(values); i += stride {
		v := protocol.Value{Type: protocol.Number, Number: values[i]}
		if values[i] != values[i] {
			v = protocol.Value{}
		}
		s.Value(column, v)
	}
}
func (s *sheet) Value(column int, v protocol.Value) {
	text := map[protocol.Type]string{protocol.Missing: "-", protocol.Number: fmt.Sprint(v.Number), protocol.Text: fmt.Sprintf("%q", v.Text), protocol.Bool: string(v.Text)}[v.Type]
	s.columns[s.names[column]] = append(s.columns[s.names[column]], text)
}

func (s *sheet) String() string {
	var b strings.Builder
	for _, n := range s.names {
		fmt.Fprintf(&b, "%s=%s ", n, strings.Join(s.columns[n], ","))
	}
	fmt.Fprintf(&b, "unknown=%d rows=%d", s.unknown, s.n)
	return b.String()
}

var tables = []struct {
	name string
	kind protocol.Kind
	body string
	want string // "" unparsable, "!" unsupported
}{
	{"v1 lists", protocol.V1, `{"instances":[[1,2.5,"x"],[ -3e2 , null, true ]]}`, `a=1,-300 b=2.5,- c="x",true unknown=0 rows=2`},
	{"v1 objects", protocol.V1, `{"signature_name":"s","instances":[{"c":"é\n","a":1},{"b":2,"zz":[1,{"k":2}],"a":null}]}`, `a=1,- b=-,2 c="é\n",- unknown=1 rows=2`},
	{"v1 wrapped values", protocol.V1, `{"instances":[[[1],[2],["x"]],{"a":[1]}]}`, ``},
	{"v1 wrapped in lists", protocol.V1, `{"instances":[[[1],[2],["x"]]]}`, `a=1 b=2 c="x" unknown=0 rows=1`},
	{"v1 python numbers", protocol.V1, `{"instances":[[NaN,Infinity,-Infinity]]}`, `a=- b=+Inf c=-Inf unknown=0 rows=1`},
	{"v1 long digits stay text", protocol.V1, `{"instances":[[12345678901234567890,0.12345678901234568,1e400]]}`, `a="12345678901234567890" b=0.12345678901234568 c=+Inf unknown=0 rows=1`},
	{"v1 no rows", protocol.V1, `{"instances":[]}`, `a= b= c= unknown=0 rows=0`},
	{"v1 short row", protocol.V1, `{"instances":[[1,2,3],[1,2]]}`, ``},
	{"v1 long row", protocol.V1, `{"instances":[[1,2,3,4]]}`, ``},
	{"v1 vector in a cell", protocol.V1, `{"instances":[[1,2,[3,4]]]}`, ``},
	{"v1 object in a cell", protocol.V1, `{"instances":[{"a":{"b":1}}]}`, ``},
	{"v1 scalars for three columns", protocol.V1, `{"instances":[1,2,3]}`, ``},
	{"v1 column twice", protocol.V1, `{"instances":[{"a":1,"a":2}]}`, ``},
	{"v1 key twice", protocol.V1, `{"instances":[],"instances":[]}`, ``},
	{"v1 cut", protocol.V1, `{"instances":[[1,2,3]`, ``},
	{"v1 more behind", protocol.V1, `{"instances":[]} x`, ``},
	{"v1 not an object", protocol.V1, `[1]`, ``},
	{"v1 other key", protocol.V1, `{"outputs":[[1,2,3]]}`, ``},
	{"v1 empty", protocol.V1, ``, ``},
	{"v1 leading zero", protocol.V1, `{"instances":[[01,2,3]]}`, ``},
	{"v1 bare minus", protocol.V1, `{"instances":[[-,2,3]]}`, ``},
	{"v1 bad escape", protocol.V1, `{"instances":[["\q",2,3]]}`, ``},
	{"v1 not utf-8", protocol.V1, "{\"instances\":[[\"\xff\",2,3]]}", ``},
	{"v1 deep", protocol.V1, `{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `,"instances":[]}`, ``},
	{"v1 bomb of empty rows", protocol.V1, `{"instances":[` + strings.Repeat("{},", 400_000) + `{}]}`, ``},

	{"v2 table, flat", protocol.V2, `{"id":"1","inputs":[{"name":"x","shape":[2,3],"datatype":"FP64","data":[1,2,3,4,5,6]}]}`, `a=1,4 b=2,5 c=3,6 unknown=0 rows=2`},
	{"v2 table, nested, shape last", protocol.V2, `{"inputs":[{"data":[[1,2,3],[4,5,6]],"datatype":"FP64","shape":[2,3],"name":"x"}]}`, `a=1,4 b=2,5 c=3,6 unknown=0 rows=2`},
	{"v2 table named like a column", protocol.V2, `{"inputs":[{"name":"a","shape":[1,3],"datatype":"FP64","data":[1,2,3]}]}`, `a=1 b=2 c=3 unknown=0 rows=1`},
	{"v2 columns", protocol.V2, `{"inputs":[{"name":"c","shape":[2],"datatype":"BYTES","data":["x","y"]},{"name":"a","shape":[2,1],"datatype":"INT64","data":[1,2]},{"name":"b","shape":[2,1],"datatype":"BOOL","data":[[true],[false]]}]}`,
		`a=1,2 b=true,false c="x","y" unknown=0 rows=2`},
	{"v2 absent and unknown columns", protocol.V2, `{"inputs":[{"name":"b","shape":[2],"datatype":"FP32","data":[1,null]},{"name":"zz","shape":[2,5],"datatype":"FP32","data":[0,0,0,0,0,0,0,0,0,0]}]}`,
		`a=-,- b=1,- c=-,- unknown=2 rows=2`},
	{"v2 all unknown", protocol.V2, `{"inputs":[{"name":"p","shape":[1],"datatype":"FP32","data":[1]},{"name":"q","shape":[1],"datatype":"FP32","data":[1]}]}`, `a=- b=- c=- unknown=2 rows=1`},
	{"v2 one column, unknown", protocol.V2, `{"inputs":[{"name":"p","shape":[1],"datatype":"FP32","data":[1]}]}`, ``},
	{"v1 all unknown", protocol.V1, `{"instances":[{"p":1}]}`, `a=- b=- c=- unknown=1 rows=1`},
	{"v2 shape and data disagree", protocol.V2, `{"inputs":[{"name":"x","shape":[5,3],"datatype":"FP64","data":[1,2,3,4,5,6]}]}`, ``},
	{"v2 too few columns", protocol.V2, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}`, ``},
	{"v2 rows disagree", protocol.V2, `{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[1]},{"name":"b","shape":[2],"datatype":"FP64","data":[1,2]}]}`, ``},
	{"v2 column twice", protocol.V2, `{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[1]},{"name":"a","shape":[1],"datatype":"FP64","data":[1]}]}`, ``},
	{"v2 vector column", protocol.V2, `{"inputs":[{"name":"a","shape":[1,2],"datatype":"FP64","data":[1,2]},{"name":"b","shape":[1],"datatype":"FP64","data":[1]}]}`, ``},
	{"v2 negative shape", protocol.V2, `{"inputs":[{"name":"a","shape":[-1],"datatype":"FP64","data":[]}]}`, ``},
	{"v2 huge shape", protocol.V2, `{"inputs":[{"name":"a","shape":[4294967296,4294967296],"datatype":"FP64","data":[]}]}`, ``},
	{"v2 no shape", protocol.V2, `{"inputs":[{"name":"a","datatype":"FP64","data":[1]}]}`, ``},
	{"v2 object in the data", protocol.V2, `{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[{}]}]}`, ``},
	{"v2 no inputs", protocol.V2, `{"inputs":[]}`, ``},
	{"v2 cut", protocol.V2, `{"inputs":[`, ``},
	{"v2 binary", protocol.V2, `{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":8}}]}`, ``},
}

func TestFeatures(t *testing.T) {
	var p protocol.Parser
	for _, c := range tables {
		s := newSheet("a", "b", "c")
		check(t, c.name, p.Features(protocol.Message{Kind: c.kind, Body: []byte(c.body)}, s), s, c.want)
	}
}

// check compares; whatever is refused must have told nothing.
func check(t *testing.T, name string, err error, s *sheet, want string) {
	t.Helper()
	switch {
	case want == "" && !errors.Is(err, protocol.ErrUnparsable), want == "!" && !errors.Is(err, protocol.ErrUnsupported):
		t.Errorf("%s: error %v", name, err)
	case err != nil && s.n+s.unknown+len(s.columns) > 0:
		t.Errorf("%s: refused, but told %s", name, s)
	case len(want) > 1 && (err != nil || s.String() != want):
		t.Errorf("%s: got %s, %v\nwant %s", name, s, err, want)
	}
}

func TestPredictions(t *testing.T) {
	var p protocol.Parser
	for _, c := range []struct {
		name    string
		kind    protocol.Kind
		columns []string
		body    string
		want    string
	}{
		{"v1 scalars", protocol.V1, []string{"y"}, `{"predictions":[1.5,2]}`, `y=1.5,2 unknown=0 rows=2`},
		{"v1 lists of one", protocol.V1, []string{"y"}, `{"predictions":[[1.5],[2]]}`, `y=1.5,2 unknown=0 rows=2`},
		{"v1 probabilities", protocol.V1, []string{"p0", "p1"}, `{"predictions":[[0.25,0.75]]}`, `p0=0.25 p1=0.75 unknown=0 rows=1`},
		{"v1 probabilities for one column", protocol.V1, []string{"y"}, `{"predictions":[[0.25,0.75]]}`, ``},
		{"v1 labels", protocol.V1, []string{"y"}, `{"predictions":["cat","dog"]}`, `y="cat","dog" unknown=0 rows=2`},
		{"v2 single output of any name", protocol.V2, []string{"y"}, `{"model_name":"m","outputs":[{"name":"output-0","shape":[2],"datatype":"FP64","parameters":null,"data":[1,2]}]}`, `y=1,2 unknown=0 rows=2`},
		{"v2 outputs by name", protocol.V2, []string{"y", "p"}, `{"outputs":[{"name":"p","shape":[1],"datatype":"FP64","data":[0.5]},{"name":"y","shape":[1,1],"datatype":"BYTES","data":["a"]}]}`, `y="a" p=0.5 unknown=0 rows=1`},
		{"v2 outputs of other names", protocol.V2, []string{"y"}, `{"outputs":[{"name":"p","shape":[1],"datatype":"FP64","data":[0.5]},{"name":"q","shape":[1],"datatype":"FP64","data":[1]}]}`, ``},
		{"v1 outputs of other names", protocol.V1, []string{"y"}, `{"predictions":[{"score":1}]}`, ``},
		{"v2 error", protocol.V2, []string{"y"}, `{"error":"no"}`, ``},
	} {
		s := newSheet(c.columns...)
		check(t, c.name, p.Predictions(protocol.Message{Kind: c.kind, Body: []byte(c.body)}, s), s, c.want)
	}
}

// What real servers were sent and answered. The features are those of their own test model.
func TestTranscripts(t *testing.T) {
	two := `distance=1400,229 temp=39,72.5 carrier_code=2,4 unknown=0 rows=2`
	y := `y=184.10000000000005,40.229999999999976 unknown=0 rows=2`
	for name, want := range map[string][2]string{ // request, response ("-": not read)
		"kserve/01-v1-predict":               {two, y},
		"kserve/01c-v1-predict-bad":          {"", "-"},
		"kserve/01d-v1-predict-badjson":      {"", "-"},
		"kserve/02-v2-infer-flat":            {two, y},
		"kserve/03-v2-infer-nested":          {two, y},
		"kserve/04-v2-infer-columns-pd":      {two, "-"},
		"kserve/07-v2-bad-json":              {"", "-"},
		"kserve/08-v2-no-inputs":             {"", "-"},
		"kserve/09-v2-shape-mismatch":        {"", "-"},
		"kserve/11-v2-wrong-feature-count":   {"", "-"},
		"kserve/12-v2-nan-literal":           {`distance=- temp=39 carrier_code=2 unknown=0 rows=1`, "-"},
		"kserve/13-v2-null":                  {`distance=- temp=39 carrier_code=2 unknown=0 rows=1`, "-"},
		"kserve/19-v2-accept-gzip":           {two, y},
		"mlserver/02-v2-infer-flat":          {two, y},
		"mlserver/03-v2-infer-nested":        {two, y},
		"mlserver/03c-v2-infer-params":       {two, y},
		"mlserver/04-v2-infer-columns-pd":    {two, y},
		"mlserver/05-v2-infer-versioned":     {two, y},
		"mlserver/11-v2-wrong-feature-count": {"", "-"},
	} {
		var p protocol.Parser
		req, body := readRequest(t, name)
		kind := protocol.Recognise([]byte(req.Method), []byte(req.RequestURI), []byte(req.Header.Get("Content-Type")), protocol.Auto)
		s := newSheet("distance", "temp", "carrier_code")
		check(t, name, p.Features(protocol.Message{Kind: kind, Body: body}, s), s, want[0])
		if want[1] != "-" {
			s = newSheet("y")
			check(t, name+" response", p.Predictions(protocol.Message{Kind: kind, Body: readResponse(t, name, req)}, s), s, want[1])
		}
	}
}

func readRequest(t testing.TB, name string) (*http.Request, []byte) {
	b, err := os.ReadFile(filepath.Join("testdata", name+".req"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(req.Body)
	return req, body
}

func readResponse(t testing.TB, name string, req *http.Request) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name+".resp"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	return body
}

func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		line string
		want protocol.Kind
		kind protocol.Kind
	}{
		{"POST /v1/models/m:predict", protocol.Auto, protocol.V1},
		{"POST /v1/models/m/versions/2:predict?x=/v2/models/m/infer", protocol.Auto, protocol.V1},
		{"POST /v2/models/m/infer", protocol.Auto, protocol.V2},
		{"POST /v2/models/m/versions/v1/infer?a=b", protocol.Auto, protocol.V2},
		{"POST http://h:1/v2/models/m/infer", protocol.Auto, protocol.V2},
		{"GET /v2/models/m/infer", protocol.Auto, protocol.Other},
		{"POST /v2/models/m/infer", protocol.V1, protocol.Other},
		{"POST /v1/models/m:predict", protocol.V2, protocol.Other},
		{"POST /v1/models/m:explain", protocol.Auto, protocol.Other},
		{"POST /v2/models/m/generate", protocol.Auto, protocol.Other},
		{"POST http://h", protocol.Auto, protocol.Other},
	} {
		method, target, _ := strings.Cut(c.line, " ")
		if got := protocol.Recognise([]byte(method), []byte(target), nil, c.want); got != c.kind {
			t.Errorf("%s (%s): %s, want %s", c.line, c.want, got, c.kind)
		}
	}
	if _, err := protocol.ParseKind("v3"); err == nil {
		t.Error("v3 is accepted, but nothing reads it")
	}
}

// Whatever comes, a body is told wholly or not at all, and every column has a value for every row.
func FuzzFeatures(f *testing.F) {
	for _, c := range tables {
		if len(c.body) < 4096 {
			f.Add(c.kind == protocol.V1, []byte(c.body))
		}
	}
	files, _ := filepath.Glob("testdata/*/*.req")
	for _, file := range files {
		_, body := readRequest(f, strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".req"))
		f.Add(strings.Contains(file, "v1"), body)
	}
	f.Fuzz(func(t *testing.T, v1 bool, body []byte) {
		var p protocol.Parser
		s, kind := newSheet("a", "b", "c"), protocol.V2
		if v1 {
			kind = protocol.V1
		}
		if err := p.Features(protocol.Message{Kind: kind, Body: body}, s); err != nil {
			if s.n+s.unknown+len(s.columns) > 0 {
				t.Fatalf("refused with %v, but told %s", err, s)
			}
			return
		}
		for name, values := range s.columns {
			if len(values) != s.n {
				t.Fatalf("%d rows, but column %s has %d values", s.n, name, len(values))
			}
		}
	})
}

func TestNumbers(t *testing.T) {
	var p protocol.Parser
	for _, text := range []string{"0", "-0", "1", "123456789012345", "0.1", "-12.3456", "1.7976931348623157e308", "5e-324", "2.2250738585072014e-308", "9007199254740993.0", "1E+2", "123.456e-7", "0.000000000000001"} {
		s := newSheet("a")
		if err := p.Features(protocol.Message{Kind: protocol.V1, Body: []byte(`{"instances":[` + text + `]}`)}, s); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var want float64
		fmt.Sscan(text, &want)
		if d := cmp.Diff([]string{fmt.Sprint(want)}, s.columns["a"]); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

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
