package protocol_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/profile/summary"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// sheet is a Table that writes down what it is told.
type sheet struct {
	names   []string
	columns map[string][]string
	unknown int
	n       int
	classes []int // the last column is the highest of these
	folded  [2]int
}

func newSheet(names ...string) *sheet { return &sheet{names: names, columns: map[string][]string{}} }

func (s *sheet) Width() int             { return len(s.names) }
func (s *sheet) Lookup(name []byte) int { return slices.Index(s.names, string(name)) }
func (s *sheet) Unknown(n int)          { s.unknown += n }
func (s *sheet) Rows(n int)             { s.n += n }
func (s *sheet) Derived() protocol.Derived {
	d := protocol.Derived{Classes: s.classes}
	for _, name := range s.names {
		if value, _, ok := summary.Split(name); ok && !slices.Contains(d.Summarised, value) {
			d.Summarised = append(d.Summarised, value)
		}
	}
	return d
}
func (s *sheet) Folded(f protocol.Fold, n int) { s.folded[f] += n }
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

// example is a body, and what it says in columns a, b and c, or, as an answer, y.
type example struct {
	name string
	kind protocol.Kind
	body string
	want string // "" unparsable, "!" unsupported
}

func (c example) message() protocol.Message {
	m := protocol.Message{Kind: c.kind, Body: []byte(c.body), HeaderLength: -1}
	if c.kind == protocol.CSV || strings.HasPrefix(c.name, "mlflow csv") {
		m.Form = protocol.FormCSV
	}
	return m
}

var tables = []example{
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
	{"v1 not utf-8, far behind", protocol.V1, "{\"instances\":[[\"0123456789\\u00e9 é \xc3\",2,3]]}", ``},
	{"v1 control character", protocol.V1, "{\"instances\":[[\"0123456789\n\",2,3]]}", ``},
	{"v1 escapes", protocol.V1, `{"instances":[["\\\"","\u00e9\ud83d\ude00\/","0123456\n89"]]}`, `a="\\\"" b="é😀/" c="0123456\n89" unknown=0 rows=1`},
	{"v1 backslash at the end", protocol.V1, `{"instances":[["\`, ``},
	{"v1 quote at every place", protocol.V1, `{"instances":[{"":1,"1":1,"12":1,"123":1,"1234":1,"12345":1,"123456":1,"1234567":1,"12345678":1,"123456789":1,"é12345678":1,"b":2}]}`, `a=- b=2 c=- unknown=11 rows=1`},
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

	{"v1 half wrapped", protocol.V1, `{"instances":[[[1],2,["x"]]]}`, ``},
	{"v1 ragged nesting", protocol.V1, `{"instances":[[],1]}`, ``},
	{"v1 comma at the end", protocol.V1, `{"instances":[[1,2,3],]}`, ``},
	{"v1 comma in a row", protocol.V1, `{"instances":[[1,2,3,]]}`, ``},
	{"v1 no comma", protocol.V1, `{"instances":[[1 2,3]]}`, ``},
	{"v1 two points", protocol.V1, `{"instances":[[1.2.3,2,3]]}`, ``},
	{"v1 point at the end", protocol.V1, `{"instances":[[1.,2,3]]}`, ``},
	{"v1 objects in instances", protocol.V1, `{"instances":{"a":[1]}}`, ``},
	{"v1 both keys", protocol.V1, `{"instances":[],"inputs":[]}`, ``},
	{"v1 inputs", protocol.V1, `{"inputs":[[1,2,3]]}`, `a=1 b=2 c=3 unknown=0 rows=1`},
	{"tfserving columns", protocol.TFServing, `{"inputs":{"a":[1,2],"b":[[3],[4]],"zz":[[1,2],[3,4]]}}`, `a=1,2 b=3,4 c=-,- unknown=2 rows=2`},
	{"tfserving one tensor in columns", protocol.TFServing, `{"inputs":{"x":[[1,2,"3"],[4,5,true]]}}`, `a=1,4 b=2,5 c="3",true unknown=0 rows=2`},
	{"tfserving one row of scalars", protocol.TFServing, `{"inputs":{"a":1,"b":"x","c":null}}`, `a=1 b="x" c=- unknown=0 rows=1`},
	{"tfserving columns that differ", protocol.TFServing, `{"inputs":{"a":[1,2],"b":[1]}}`, ``},
	{"tfserving column twice", protocol.TFServing, `{"inputs":{"a":[1],"a":[1]}}`, ``},
	{"tfserving vector in a column", protocol.TFServing, `{"inputs":{"a":[[1,2]],"b":[1]}}`, ``},
	{"tfserving encoded bytes", protocol.TFServing, `{"inputs":{"a":{"b64":"AA=="},"b":{"b64":"?"}}}`, `a="\x00" b=- c=- unknown=0 rows=1`},
	{"tfserving encoded bytes and more", protocol.TFServing, `{"inputs":{"a":{"b64":"AA==","c":1}}}`, ``},
	{"mlflow encoded bytes", protocol.MLflow, `{"inputs":{"a":{"b64":"AA=="}}}`, ``},
	{"tfserving nothing", protocol.TFServing, `{"inputs":{}}`, ``},

	{"v2 bools as numbers", protocol.V2, `{"inputs":[{"name":"a","shape":[3],"datatype":"BOOL","data":[1,0,null]}]}`, `a=true,false,- b=-,-,- c=-,-,- unknown=0 rows=3`},
	{"v2 float32 with all its digits", protocol.V2, `{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[72.30000305175781,0.1,"x"]}]}`, `a=72.3 b=0.1 c="x" unknown=0 rows=1`},
	{"v2 ragged data", protocol.V2, `{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[[1,2],[3]]}]}`, ``},
	{"v2 unknown datatype", protocol.V2, `{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP99","data":[1,2,3]}]}`, ``},
	{"v2 data twice", protocol.V2, `{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[1,2,3],"data":[1,2,3]}]}`, ``},
	{"v2 inputs twice", protocol.V2, `{"inputs":[{"name":"x","shape":[1,3],"data":[1,2,3]}],"inputs":[]}`, ``},
	{"v2 fraction as shape", protocol.V2, `{"inputs":[{"name":"x","shape":[1.5,2],"datatype":"FP64","data":[1,2,3]}]}`, ``},
	{"v2 text as shape", protocol.V2, `{"inputs":[{"name":"x","shape":["1",3],"datatype":"FP64","data":[1,2,3]}]}`, ``},

	{"mlflow split, data first, index", protocol.MLflow, `{"dataframe_split":{"data":[[1,"x",null],[2,"y",true]],"columns":["b","c","a"],"index":[0,1]},"params":{"p":[1]}}`, `a=-,true b=1,2 c="x","y" unknown=0 rows=2`},
	{"mlflow split without names", protocol.MLflow, `{"dataframe_split":{"columns":null,"data":[[1,2,3]]}}`, `a=1 b=2 c=3 unknown=0 rows=1`},
	{"mlflow split with numbers for names", protocol.MLflow, `{"dataframe_split":{"columns":[0,1,"b"],"data":[[1,2,3]]}}`, `a=- b=3 c=- unknown=2 rows=1`},
	{"mlflow split, name twice", protocol.MLflow, `{"dataframe_split":{"columns":["a","a"],"data":[[1,2]]}}`, ``},
	{"mlflow split, too few names", protocol.MLflow, `{"dataframe_split":{"columns":["a"],"data":[[1,2]]}}`, ``},
	{"mlflow split, one unknown column", protocol.MLflow, `{"dataframe_split":{"columns":["q"],"data":[[1]]}}`, `a=- b=- c=- unknown=1 rows=1`},
	{"mlflow split, no rows", protocol.MLflow, `{"dataframe_split":{"columns":["a"],"data":[]}}`, `a= b= c= unknown=0 rows=0`},
	{"mlflow split without data", protocol.MLflow, `{"dataframe_split":{"columns":["a"]}}`, ``},
	{"mlflow split, a vector in a cell", protocol.MLflow, `{"dataframe_split":{"columns":["a","b"],"data":[[1,[2]]]}}`, ``},
	{"mlflow records", protocol.MLflow, `{"dataframe_records":[{"a":1,"c":"x","q":[{}]},{"b":"é\n\"","a":[2]}]}`, `a=1,2 b=-,"é\n\"" c="x",- unknown=1 rows=2`},
	{"mlflow records that are lists", protocol.MLflow, `{"dataframe_records":[[1,2,3]]}`, ``},
	{"mlflow columns", protocol.MLflow, `{"inputs":{"a":[1,2],"c":["x",null]}}`, `a=1,2 b=-,- c="x",- unknown=0 rows=2`},
	{"mlflow bare rows", protocol.MLflow, `[[1,2,3],[4,5,6]]`, `a=1,4 b=2,5 c=3,6 unknown=0 rows=2`},
	{"mlflow bare records", protocol.MLflow, ` [{"a":1}] `, `a=1 b=- c=- unknown=0 rows=1`},
	{"mlflow bare rows and more", protocol.MLflow, `[[1,2,3]] 4`, ``},
	{"mlflow csv", protocol.MLflow, "c,a\r\nx,1\r\n\"y,\"\"z\"\"\n\",NA\r\n", `a=1,"NA" b=-,- c="x","y,\"z\"\n" unknown=0 rows=2`},
	{"mlflow csv of other columns", protocol.MLflow, "p,q\n1,2\n", `a=- b=- c=- unknown=2 rows=1`},
	{"mlflow csv, header only", protocol.MLflow, "a,b,c", `a= b= c= unknown=0 rows=0`},
	{"mlflow csv of one empty line", protocol.MLflow, "\n", ``},

	{"seldon ndarray", protocol.Seldon, `{"meta":{},"data":{"names":["b","a"],"ndarray":[[1,"x"],[2,null]]}}`, `a="x",- b=1,2 c=-,- unknown=0 rows=2`},
	{"seldon without names", protocol.Seldon, `{"data":{"ndarray":[[1,2,3]],"names":[]}}`, `a=1 b=2 c=3 unknown=0 rows=1`},
	{"seldon tensor", protocol.Seldon, `{"data":{"tensor":{"values":[1,2,3,4,5,6],"shape":[2,3]}}}`, `a=1,4 b=2,5 c=3,6 unknown=0 rows=2`},
	{"seldon tensor of another shape", protocol.Seldon, `{"data":{"tensor":{"values":[1,2,3,4,5,6],"shape":[3,3]}}}`, ``},
	{"seldon tftensor", protocol.Seldon, `{"data":{"tftensor":{}}}`, `!`},
	{"seldon text", protocol.Seldon, `{"strData":"x"}`, `!`},
	{"seldon ndarray and tensor", protocol.Seldon, `{"data":{"ndarray":[[1,2,3]],"tensor":{"shape":[1,3],"values":[1,2,3]}}}`, ``},
	{"seldon nothing", protocol.Seldon, `{"data":{"names":["a"]}}`, ``},

	{"csv without header", protocol.CSV, "1,2.50,x\n-4,,007\n", `a=1,-4 b="2.50",- c="x","007" unknown=0 rows=2`},
	{"csv with header", protocol.CSV, "\xef\xbb\xbf\"b\",c,a\n1,2,3", `a=3 b=1 c=2 unknown=0 rows=1`},
	{"csv with a header of some", protocol.CSV, "b\n\n1\n2\n", `a=-,- b=1,2 c=-,- unknown=0 rows=2`},
	{"csv of text only", protocol.CSV, "x,y,z\nu,v,w\n", `a="x","u" b="y","v" c="z","w" unknown=0 rows=2`},
	{"csv with a header of others", protocol.CSV, "x,y,z\nu,1.50,w\n", ``},
	{"csv of another width", protocol.CSV, "1,2\n", ``},
	{"csv of rows that differ", protocol.CSV, "1,2,3\n1,2\n", ``},
	{"csv that does not end", protocol.CSV, "1,2,\"3\n", ``},
	{"csv that goes on behind a quote", protocol.CSV, "1,2,\"3\"4\n", ``},
	{"csv with quotes inside", protocol.CSV, "1,2,3\"4\"\n", `a=1 b=2 c="3\"4\"" unknown=0 rows=1`},
	{"csv, empty", protocol.CSV, "", ``},
	{"csv of long and odd numbers", protocol.CSV, "1e3,12345678901234567890, 5\n1.5e-3,-0.25,+5\n", `a="1e3","1.5e-3" b="12345678901234567890",-0.25 c=" 5","+5" unknown=0 rows=2`},
}

func TestFeatures(t *testing.T) {
	var p protocol.Parser
	for _, c := range tables {
		s := newSheet("a", "b", "c")
		check(t, c.name, p.Features(c.message(), s), s, c.want)
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
