package protocol_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/profile/summary"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// vectored is a sheet of column a and the columns that sum up e.
func vectored() *sheet {
	names := []string{"a"}
	for i := range summary.Size {
		names = append(names, "e"+summary.Suffix(i))
	}
	return newSheet(names...)
}

// vectors are bodies that a vectored sheet reads as a=1,2 and e=(3,4),(5,12), or as what they say.
var vectors = []struct {
	name    string
	message protocol.Message
	norms   string // "" unparsable
	unknown int
}{
	{"v1 records", named(protocol.V1, `{"instances":[{"a":1,"e":[3,4]},{"e":[5,12],"a":2}]}`), "5,13", 0},
	{"v1 records, nested", named(protocol.V1, `{"instances":[{"a":1,"e":[[3],[4]]},{"e":[[[5,12]]],"a":2}]}`), "5,13", 0},
	{"v1 records of different lengths", named(protocol.V1, `{"instances":[{"a":1,"e":[3,4]},{"e":[2,3,6],"a":2}]}`), "5,7", 0},
	{"v1 records with null, text and NaN", named(protocol.V1, `{"instances":[{"a":1,"e":[3,null]},{"e":[3,"4"],"a":2},{"e":[NaN,1]},{"e":[1,"x"]}]}`), "-,5,-,-", 0},
	{"v1 records with infinities", named(protocol.V1, `{"instances":[{"e":[3,Infinity]},{"e":[Infinity,-Infinity]}]}`), "+Inf,+Inf", 0},
	{"v1 records without values", named(protocol.V1, `{"instances":[{"e":[]},{"e":null},{}]}`), "-,-,-", 0},
	{"v1 records of single values", named(protocol.V1, `{"instances":[{"e":3},{"e":[4]},{"e":"x"},{"e":true}]}`), "3,4,-,1", 0},
	{"v1 records of text that spells a vector", named(protocol.V1, `{"instances":[{"e":"[3, 4]"},{"e":"[3,4"},{"e":"[[3,4]]"},{"e":"[3,\"4\"]"}]}`), "5,-,-,-", 0},
	{"v1 records, ragged", named(protocol.V1, `{"instances":[{"e":[[3,4],[5]]}]}`), "", 0},
	{"v1 records, deep", named(protocol.V1, `{"instances":[{"e":`+strings.Repeat("[", 33)+"1"+strings.Repeat("]", 33)+`}]}`), "", 0},
	{"v1 records, an object", named(protocol.V1, `{"instances":[{"e":{"x":1}}]}`), "", 0},
	{"v1 records, twice", named(protocol.V1, `{"instances":[{"e":[1,2],"e":[1,2]}]}`), "", 0},
	{"v1 records, cut", named(protocol.V1, `{"instances":[{"e":[1,2`), "", 0},
	{"v1 columns", named(protocol.V1, `{"inputs":{"a":[1,2],"e":[[3,4],[5,12]]}}`), "5,13", 0},
	{"v1 columns, ragged", named(protocol.V1, `{"inputs":{"a":[1,2],"e":[[3,4],[5]]}}`), "", 0},
	{"v1 columns, other rows", named(protocol.V1, `{"inputs":{"a":[1,2],"e":[[3,4]]}}`), "", 0},
	{"v1 columns, a vector for a number", named(protocol.V1, `{"inputs":{"a":[[1,2]],"e":[[3,4]]}}`), "", 0},
	{"v1 columns and the summary itself", named(protocol.V1, `{"inputs":{"e":[[3,4]],"e[norm]":[1]}}`), "", 0},
	{"v1 one column", named(protocol.V1, `{"inputs":{"e":[[3,4],[5,12]]}}`), "5,13", 0},
	{"v1 unknown vectors", named(protocol.V1, `{"inputs":{"e":[[3,4],[5,12]],"f":[[1,2],[1,2]]}}`), "5,13", 2},
	{"v1 lists", named(protocol.V1, `{"instances":[[3,4],[5,12]]}`), "", 0},
	{"v2 tensors", named(protocol.V2, `{"inputs":[{"name":"e","shape":[2,2],"datatype":"FP64","data":[3,4,5,12]},{"name":"a","shape":[2],"datatype":"FP64","data":[1,2]}]}`), "5,13", 0},
	{"v2 tensors of rank 3", named(protocol.V2, `{"inputs":[{"name":"e","shape":[2,1,2],"datatype":"FP64","data":[3,4,5,12]}]}`), "5,13", 0},
	{"v2 tensors of text", named(protocol.V2, `{"inputs":[{"name":"e","shape":[2,2],"datatype":"BYTES","data":["3","4","x","12"]}]}`), "5,-", 0},
	{"v2 without values", named(protocol.V2, `{"inputs":[{"name":"e","shape":[2,0],"datatype":"FP64","data":[]}]}`), "-,-", 0},
	{"v2 shape and data disagree", named(protocol.V2, `{"inputs":[{"name":"e","shape":[2,3],"datatype":"FP64","data":[3,4,5,12]}]}`), "", 0},
	{"v2 raw", extension(`{"inputs":[{"name":"e","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}}]}`, le([]float32{3, 4, 5, 12})), "5,13", 0},
	{"csv with a header", table(protocol.CSV, "a,e[norm]\n1,5\n2,13\n"), "5,13", 0},
	{"mlflow csv", table(protocol.MLflow, "a,e\n1,\"[3,4]\"\n2,\"[5, 12]\"\n"), "5,13", 0},
	{"mlflow split", named(protocol.MLflow, `{"dataframe_split":{"columns":["a","e"],"data":[[1,"[3,4]"],[2,null]]}}`), "5,-", 0},
}

func TestVectors(t *testing.T) {
	var p protocol.Parser
	for _, c := range vectors {
		s := vectored()
		err := p.Features(c.message, s)
		if got := strings.Join(s.columns["e[norm]"], ","); (err == nil) != (c.norms != "") || got != c.norms || s.unknown != c.unknown {
			t.Errorf("%s: norms %s, %d unknown, %v; want %s, %d", c.name, got, s.unknown, err, c.norms, c.unknown)
		}
		for _, name := range s.names {
			if len(s.columns[name]) != s.n {
				t.Errorf("%s: %d values of %s in %d rows", c.name, len(s.columns[name]), name, s.n)
			}
		}
	}
}

// All of a summary goes to the right column, and what was summed up is told.
func TestVectorColumns(t *testing.T) {
	var p protocol.Parser
	for _, body := range []string{
		`{"instances":[{"a":1,"e":[3,"4",-5]}]}`, `{"inputs":{"a":1,"e":[[3,"4",-5]]}}`, `{"inputs":{"e":[["3",4,-5]]}}`,
	} {
		s := vectored()
		if err := p.Features(named(protocol.V1, body), s); err != nil {
			t.Fatal(err)
		}
		of := summary.Of([]float64{3, 4, -5})
		for i := range summary.Size {
			if got := s.columns["e"+summary.Suffix(i)]; len(got) != 1 || got[0] != fmt.Sprint(of[i]) {
				t.Errorf("%s: e%s is %v, want %v", body, summary.Suffix(i), got, of[i])
			}
		}
		if s.folded != [2]int{3, 0} {
			t.Errorf("%s: %v summed up", body, s.folded)
		}
	}
}

// The only tensor is the only vector of a profile where it can be nothing else.
func TestOnlyVector(t *testing.T) {
	only := func() *sheet { s := vectored(); s.names = s.names[1:]; return s }
	two := func() *sheet { s := vectored(); s.names = append(s.names, "f[norm]"); return s }
	row := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }
	for _, c := range []struct {
		name  string
		sheet *sheet
		width int
		norms string // "" unparsable
	}{
		{"nothing else in the profile", only(), 4, "2"},
		{"one value", only(), 1, ""},
		{"as many values as columns", only(), 9, "1"},
		{"no more than features", vectored(), 16, ""},
		{"more than features", vectored(), 25, "5"},
		{"several vectors", two(), 25, ""},
	} {
		for _, m := range []protocol.Message{
			named(protocol.V1, `{"instances":[`+row(c.width)+`]}`), named(protocol.MLflow, `[`+row(c.width)+`]`),
			named(protocol.V2, fmt.Sprintf(`{"inputs":[{"name":"x","shape":[1,%d],"datatype":"FP64","data":%s}]}`, c.width, row(c.width))),
			named(protocol.Seldon, `{"data":{"ndarray":[`+row(c.width)+`]}}`), table(protocol.CSV, strings.Trim(row(c.width), "[]")+"\n"),
		} {
			p := protocol.Parser{MaxFeatures: 16}
			s := *c.sheet
			s.columns = map[string][]string{}
			err := p.Features(m, &s)
			if got := strings.Join(s.columns["e[norm]"], ","); got != c.norms || (err == nil) != (c.norms != "") {
				t.Errorf("%s, %s: norm %s, %v; want %s", c.name, m.Kind, got, err, c.norms)
			}
		}
	}
}

// Images and audio have a size, and nothing else.
func TestSizes(t *testing.T) {
	image := "\xff\xd8" + strings.Repeat("x", 98)
	encoded := base64.StdEncoding.EncodeToString([]byte(image))
	prefixed := append(le(uint32(100)), image...)
	var p protocol.Parser
	for _, c := range []struct {
		name    string
		columns string
		message protocol.Message
		want    string
	}{
		{"v1 objects", "a i[size]", named(protocol.V1, `{"instances":[{"a":1,"i":{"b64":"`+encoded+`"}},{"i":null}]}`), `a=1,- i[size]=100,- unknown=0 rows=2`},
		{"v1 columns", "a i[size]", named(protocol.V1, `{"inputs":{"i":[{"b64":"`+encoded+`"},{"b64":""}]}}`), `a=-,- i[size]=100,0 unknown=0 rows=2`},
		{"v1 bytes alone", "i[size]", named(protocol.V1, `{"instances":[{"b64":"`+encoded+`"}]}`), `i[size]=100 unknown=0 rows=1`},
		{"v1 bytes alone, other columns", "a i[size]", named(protocol.V1, `{"instances":[{"b64":"`+encoded+`"}]}`), ``},
		{"v1 column b64", "b64", named(protocol.V1, `{"instances":[{"b64":"`+encoded+`"}]}`), `b64="` + encoded + `" unknown=0 rows=1`},
		{"v1 pixels", "i[size]", named(protocol.V1, `{"instances":[[[[1,2,3],[4,5,6]]]]}`), `i[size]=6 unknown=0 rows=1`},
		{"v2 raw", "a i[size]", extension(`{"inputs":[{"name":"i","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":104}}]}`, prefixed), `a=- i[size]=100 unknown=0 rows=1`},
		{"v2 raw, another name", "i[size]", extension(`{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":104}}]}`, prefixed), `i[size]=100 unknown=0 rows=1`},
		{"v2 pixels", "a i[size]", named(protocol.V2, `{"inputs":[{"name":"i","shape":[1,2,1,3],"datatype":"UINT8","data":[1,2,3,4,5,6]}]}`), `a=- i[size]=6 unknown=0 rows=1`},
	} {
		s := newSheet(strings.Fields(c.columns)...)
		check(t, c.name, p.Features(c.message, s), s, c.want)
		if c.want != "" && s.folded[protocol.ToVector] != 0 {
			t.Errorf("%s: %v summed up", c.name, s.folded)
		}
	}
}

// A Learner learns the columns that sum up, by the same names as a profile has them.
func TestLearnSummaries(t *testing.T) {
	image := "\xff\xd8\xff"
	wide := "[" + strings.TrimSuffix(strings.Repeat("1,", 501), ",") + "]"
	for _, c := range []struct {
		name    string
		message protocol.Message
		answer  bool
		learned string // of vectors the norm only
		err     error
	}{
		{"records", named(protocol.V1, `{"instances":[{"e":[1,2],"one":[1],"odd":[[1],2],"o":{"k":1},"a":1}]}`), false, "e[norm] a", nil},
		{"encoded bytes", named(protocol.V1, `{"instances":[{"i":{"b64":"AA=="},"a":1}]}`), false, "i[size] a", nil},
		{"pixels in records", named(protocol.V1, `{"instances":[{"i":[[[1,2],[3,4]]],"a":1}]}`), false, "i[size] a", nil},
		{"tensors", named(protocol.V2, `{"inputs":[{"name":"i","shape":[1,1,1,3],"datatype":"UINT8","data":[1,2,3]},{"name":"e","shape":[1,1,2],"datatype":"FP64","data":[1,2]}]}`), false, "i[size] e[norm]", nil},
		{"raw bytes", extension(`{"inputs":[{"name":"i","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}]}`, append(le(uint32(3)), image...)), false, "i[size]", nil},
		{"one tensor of features", named(protocol.V2, `{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[1,2,3]}]}`), false, "", protocol.ErrUnnamed},
		{"one tensor of more", named(protocol.V2, `{"inputs":[{"name":"x","shape":[1,501],"datatype":"FP64","data":`+wide+`}]}`), false, "x[norm]", nil},
		{"without a name", named(protocol.V1, `{"instances":[`+wide+`]}`), false, "vector[norm]", nil},
		{"answer without a name", named(protocol.V1, `{"predictions":[`+wide+`]}`), true, "prediction[norm]", nil},
	} {
		var p protocol.Parser
		read := p.Features
		if c.answer {
			read = p.Predictions
		}
		s := &pupil{sheet: newSheet()}
		if err := read(c.message, s); err != c.err {
			t.Errorf("%s: %v", c.name, err)
		}
		var got []string
		for _, name := range s.learned {
			if _, i, ok := summary.Split(name); !ok || i == summary.Norm || i == summary.Size {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != c.learned {
			t.Errorf("%s: learned %v, want %s", c.name, got, c.learned)
		}
		if c.err != nil {
			continue
		}
		again := &pupil{sheet: newSheet(s.learned...)}
		if err := read(c.message, again); err != nil || len(again.learned) > 0 || again.n != 1 {
			t.Errorf("%s, again: %d rows, learned %v, %v", c.name, again.n, again.learned, err)
		}
		for _, name := range again.names {
			if v := again.columns[name]; len(v) != 1 || v[0] == "-" {
				t.Errorf("%s, again: %s is %v", c.name, name, v)
			}
		}
	}
}

// The highest class probability of a row has a column, however the probabilities come.
func TestHighest(t *testing.T) {
	var p protocol.Parser
	want := `p0=0.25,0.9 p1=0.75,0.1 [highest]=0.75,0.9 unknown=0 rows=2`
	for _, c := range []example{
		{"v1", protocol.V1, `{"predictions":[[0.25,0.75],[0.9,0.1]]}`, want},
		{"v1 records", protocol.V1, `{"predictions":[{"p1":0.75,"p0":0.25},{"p0":0.9,"p1":[0.1]}]}`, want},
		{"v1 text", protocol.V1, `{"predictions":[["0.25",0.75]]}`, `p0="0.25" p1=0.75 [highest]=0.75 unknown=0 rows=1`},
		{"v1 null", protocol.V1, `{"predictions":[[null,0.75],[0.5,0.5]]}`, `p0=-,0.5 p1=0.75,0.5 [highest]=-,0.5 unknown=0 rows=2`},
		{"v1 one of them", protocol.V1, `{"predictions":[{"p1":0.75}]}`, `p0=- p1=0.75 [highest]=- unknown=0 rows=1`},
		{"v1 the highest itself", protocol.V1, `{"predictions":[{"p0":0.25,"p1":0.75,"[highest]":1}]}`, `p0=0.25 p1=0.75 [highest]=0.75 unknown=1 rows=1`},
		{"v1 and the highest in order", protocol.V1, `{"predictions":[[0.25,0.75,0.75]]}`, ``},
		{"v1 no rows", protocol.V1, `{"predictions":[]}`, `p0= p1= [highest]= unknown=0 rows=0`},
		{"tfserving", protocol.TFServing, `{"outputs":{"p0":[0.25,0.9],"p1":[0.75,0.1]}}`, want},
		{"v2", protocol.V2, `{"outputs":[{"name":"probs","shape":[2,2],"datatype":"FP32","data":[0.25,0.75,0.9,0.1]}]}`, want},
		{"v2 by name", protocol.V2, `{"outputs":[{"name":"p1","shape":[2],"datatype":"FP64","data":[0.75,0.1]},{"name":"p0","shape":[2,1],"datatype":"FP64","data":[0.25,0.9]}]}`, want},
		{"v2 one of them", protocol.V2, `{"outputs":[{"name":"p1","shape":[2],"datatype":"FP64","data":[0.75,0.1]}]}`, `p0=-,- p1=0.75,0.1 [highest]=-,- unknown=0 rows=2`},
		{"csv", protocol.CSV, "0.25,0.75\n0.9,0.1\n", want},
	} {
		s := newSheet("p0", "p1", summary.Highest)
		s.classes = []int{0, 1}
		check(t, c.name, p.Predictions(c.message(), s), s, c.want)
	}
}

// The caller may do something else every few KiB, also within a row of many values.
func TestVectorPauses(t *testing.T) {
	const n = 100_000
	var last time.Time
	longest, pauses := time.Duration(0), 0
	p := protocol.Parser{Pause: func() {
		longest = max(longest, time.Since(last))
		pauses++
		last = time.Now()
	}}
	for _, m := range []protocol.Message{
		named(protocol.V1, `{"inputs":{"e":[[`+strings.Repeat("1.25,", n)+`1]]}}`),
		table(protocol.MLflow, "a,e\n1,\"["+strings.Repeat("1.25,", n)+"1]\"\n"),
		named(protocol.V1, `{"inputs":{"e":[[]`+strings.Repeat(",[]", n)+`]}}`),
	} {
		pauses, last = 0, time.Now()
		if err := p.Features(m, vectored()); err != nil {
			t.Fatal(err)
		}
		if least := len(m.Body)/8192 + n/1024; pauses < least-2 {
			t.Errorf("%.20s: %d pauses, want %d", m.Body, pauses, least)
		}
	}
	t.Logf("longest without a pause: %v", longest)
}

// One of a request's embeddings of 768 values, as text and raw.
func BenchmarkEmbedding(b *testing.B) {
	const d = 768
	rng := rand.New(rand.NewPCG(1, 1))
	var text []string
	var raw []byte
	for range d {
		v := math.Round(rng.NormFloat64()*1e4) / 1e5
		text = append(text, fmt.Sprint(v))
		raw = append(raw, le(float32(v))...)
	}
	for _, c := range []struct {
		name    string
		message protocol.Message
	}{
		{"JSON", named(protocol.V2, fmt.Sprintf(`{"inputs":[{"name":"e","shape":[1,%d],"datatype":"FP64","data":[%s]}]}`, d, strings.Join(text, ",")))},
		{"FP32", extension(fmt.Sprintf(`{"inputs":[{"name":"e","shape":[1,%d],"datatype":"FP32","parameters":{"binary_data_size":%d}}]}`, d, len(raw)), raw)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var p protocol.Parser
			s := &deaf{vectored()}
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Features(c.message, s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/d, "ns/value")
		})
	}
}

// deaf is a sheet that hears nothing.
type deaf struct{ *sheet }

func (*deaf) Value(int, protocol.Value)   {}
func (*deaf) Numbers(int, []float64, int) {}
