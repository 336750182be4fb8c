package dataset

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/profile"
)

// tight limits: everything is cut, put aside, sorted in parts.
func tight() limits {
	return limits{chunk: 300, record: 1 << 20, held: 20_000, distinct: 16, categories: 3000, collected: 50, buckets: 64}
}

// columns of numbers that are hard to select from.
func hard(rows int) map[string][]float64 {
	r := rand.New(rand.NewPCG(1, 2))
	make := func(f func(i int) float64) []float64 {
		var list []float64
		for i := range rows {
			list = append(list, f(i))
		}
		return list
	}
	return map[string][]float64{
		"normal":    make(func(int) float64 { return r.NormFloat64() }),
		"tails":     make(func(int) float64 { return math.Exp(20 * r.NormFloat64()) }),
		"outlier":   make(func(i int) float64 { return map[bool]float64{true: 1e300, false: 1 + r.Float64()*1e-9}[i == 5] }),
		"constant":  make(func(int) float64 { return 3 }),
		"two":       make(func(i int) float64 { return float64(i % 2) }),
		"zeros":     make(func(i int) float64 { return max(r.NormFloat64(), 0) }),
		"integers":  make(func(int) float64 { return float64(r.IntN(1000)) }),
		"ascending": make(func(i int) float64 { return float64(i) }),
		"extremes":  make(func(i int) float64 { return []float64{-math.MaxFloat64, math.MaxFloat64, r.NormFloat64()}[i%3] }),
		"tiny":      make(func(int) float64 { return float64(r.IntN(5000)) * 5e-324 }),
		"few": make(func(i int) float64 {
			return []float64{1, 2, 3, 1e9}[r.IntN(4)] + float64(r.IntN(2)*r.IntN(2)*r.IntN(100))
		}),
		"near": make(func(int) float64 { return math.Float64frombits(math.Float64bits(1) + uint64(r.IntN(200))) }),
		"−0":   make(func(i int) float64 { return math.Copysign(0, float64(i%2)-0.5) }),
	}
}

func TestRanksAreThoseOfSorting(t *testing.T) {
	whole := tight()
	whole.sorted = 20_000
	for name, values := range hard(20_000) {
		t.Run(name, func(t *testing.T) { find(t, values, tight()) })
		t.Run(name+" as a whole", func(t *testing.T) { find(t, values, whole) })
	}
}

func find(t *testing.T, values []float64, l limits) {
	s := &store{limit: 20_000}
	defer s.close()
	var parts []*numbers
	for _, some := range [][]float64{values[:1], values[1:4000], values[4000:]} {
		n := newNumbers(s, 16, 256)
		if err := n.add(some); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, n)
	}
	got, err := ordered(t.Context(), s, join(parts), l)
	if err != nil {
		t.Fatal(err)
	}
	ascending := slices.Sorted(slices.Values(values))
	want := profile.RunsOf(ascending)
	var ranks []int64
	for rank := range int64(len(values)) {
		if rank%37 == 0 || rank > 19_990 || rank < 10 {
			ranks = append(ranks, rank)
		}
	}
	for range 2 { // what was found is known
		found, err := got.Find(ranks)
		if err != nil {
			t.Fatal(err)
		}
		expected, _ := want.Find(ranks)
		if diff := cmp.Diff(expected, found); diff != "" {
			t.Fatal(diff[:min(len(diff), 500)])
		}
		slices.Reverse(ranks)
	}
}

// table is CSV of hard columns, categories with very many, and a few bad rows.
func table(rows int) []byte {
	columns := hard(rows)
	names := sortedKeys(columns)
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(append([]string{"id", "city", "emb"}, names...))
	r := rand.New(rand.NewPCG(3, 4))
	for i := range rows {
		row := []string{fmt.Sprintf("id %d", r.IntN(rows)), strings.Repeat("long, \"and\nquoted ", r.IntN(3)) + strconv.Itoa(int(r.ExpFloat64()*5)), fmt.Sprintf("[%v,2]", r.Float64())}
		for _, name := range names {
			row = append(row, strconv.FormatFloat(columns[name][i], 'g', -1, 64))
		}
		if i%500 == 77 {
			row = row[1:]
		}
		_ = w.Write(row)
	}
	w.Flush()
	return b.Bytes()
}

// Tight limits change nothing.
func TestLimitsChangeNothing(t *testing.T) {
	text := table(5000)
	describe := func(o Options) ([]byte, Report) {
		p, report, err := Profile(t.Context(), []Source{Memory("t.csv", text)}, o)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b, report
	}
	want, wantReport := describe(Options{Workers: 1})
	if wantReport.Bad != 10 {
		t.Fatalf("%+v", wantReport)
	}
	for _, workers := range []int{1, 2, 5} {
		for _, chunk := range []int{300, 5000} {
			l := tight()
			l.chunk = chunk
			got, report := describe(Options{Workers: workers, limits: l})
			if !bytes.Equal(got, want) {
				t.Errorf("%d workers, chunks of %d: another profile", workers, chunk)
			}
			if diff := cmp.Diff(wantReport, report, cmp.AllowUnexported(BadRow{})); diff != "" {
				t.Error(diff)
			}
		}
	}
}

// Nothing is left in the folder of temporary files, even while they are used.
func TestTemporaryFilesHaveNoName(t *testing.T) {
	dir := t.TempDir()
	seen := 0
	o := Options{TempDir: dir, limits: tight(), Progress: func(Progress) {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			seen++
		}
	}}
	s, done, err := Spool("standard input", bytes.NewReader(table(3000)), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Profile(t.Context(), []Source{s}, o); err != nil || seen > 0 {
		t.Errorf("%v; %d times there was a file", err, seen)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	o := Options{limits: tight(), Progress: func(p Progress) {
		if p.Bytes > p.Size/2 {
			cancel(stop)
		}
	}}
	text := bytes.Repeat([]byte("1,2\n"), 200_000)
	_, _, err := Profile(ctx, []Source{Memory("t.csv", append([]byte("a,b\n"), text...))}, o)
	if !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}

// A guess that later rows prove wrong is mended.
func TestLateTypes(t *testing.T) {
	rows := strings.Repeat("1,,[1],5,0.5,0.5\n", 300)
	text := "n,late,v,none,p,q\n" + rows + "x,[2],[],,0.25,0.75\n" + rows + "2,[3],7,,1,0\n"
	var lines strings.Builder
	p, _, err := Profile(t.Context(), []Source{Memory("t.csv", []byte(text))}, Options{limits: tight(), Predictions: []string{"p", "q"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range slices.Concat(p.Features, p.Predictions) {
		if !strings.Contains(c.Name, "[p") {
			got = append(got, fmt.Sprint(c.Name, " ", c.Type, " ", c.Rows-c.Missing))
		}
	}
	want := []string{"n category 602", "late[norm] number 2", "v category 602", "none number 600", "p number 602", "q number 602", "[highest] number 602"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i := range 400 {
		fmt.Fprintf(&lines, `{"b": %d, "a": 1}`+"\n", i)
	}
	lines.WriteString(`{"b": "text", "z": 1, "c": 2, "a": 1}` + "\n" + `{"d": null}` + "\nnonsense\n")
	q, report, err := Profile(t.Context(), []Source{Memory("t.jsonl", []byte(lines.String()))}, Options{limits: tight(), Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, c := range q.Features {
		got = append(got, fmt.Sprint(c.Name, " ", c.Type, " ", c.Missing))
	}
	if diff := cmp.Diff([]string{"b category 1", "a number 1", "c number 401", "d category 402", "z number 401"}, got); diff != "" {
		t.Error(diff)
	}
	if report.Bad != 1 || report.BadRows[0].At != "line 403" {
		t.Errorf("%+v", report)
	}
}

// record and recordsEnd read what encoding/csv reads, and find the same rows bad
// in the same lines, wherever text is cut.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("a,b\n1,\"x\n\"\"y\"\r\n\n\"z\"q,1\n2,b\"c\n\"open\n1,2\n"), 5)
	f.Add([]byte("\"\r\n\",\r\n\r\"\"\r"), 1)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		type row struct {
			fields []string
			line   int
			lines  int
			bad    bool
		}
		var want, got []row
		in := csv.NewReader(bytes.NewReader(text))
		in.FieldsPerRecord = -1
		for {
			fields, err := in.Read()
			var broken *csv.ParseError
			if err == io.EOF {
				break
			} else if errors.As(err, &broken) {
				want = append(want, row{line: broken.StartLine, lines: broken.Line - broken.StartLine + 1, bad: true})
				continue
			}
			line, _ := in.FieldPos(0)
			want = append(want, row{fields: fields, line: line})
		}
		c := &chunks{r: bytes.NewReader(text), end: recordsEnd, limits: limits{chunk: 1 + (size&0xff+256)%256, record: 1 << 20}, line: 1}
		for {
			part, err := c.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			line := int(part.line)
			for at := 0; at < len(part.data); {
				fields, _, next, lines, reason := record(part.data, at, nil, nil)
				r := row{line: line}
				line += lines
				at = next
				if reason != "" {
					got = append(got, row{line: r.line, lines: lines, bad: true})
				} else if len(fields) > 0 {
					for _, f := range fields {
						r.fields = append(r.fields, string(f))
					}
					got = append(got, r)
				}
			}
			if c.eof && len(c.carry) == 0 {
				break
			}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The fast way through rows and the slow one come to the same batch.
func FuzzRows(f *testing.F) {
	f.Add([]byte("1,x,2\n-1.5e3,\"y\",\n,NA,nan\n1,2\n 1,a,0x1p3\n1,\"q\"\"\",2\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		read := func(fast bool) ([]cells, Report, []evidence) {
			p, err := newPlan([]string{"a", "b", "c"}, Options{Types: map[string]profile.Type{"b": profile.Category}}, false)
			if err != nil {
				t.Fatal(err)
			}
			b := newBatch(p.layOut(), newDecimals())
			rows := csvReader{batch: b, careful: !fast}
			rows.read(0, "t", chunk{text, 1})
			b.report.Rows = int64(b.rows)
			return b.cells, b.report, b.seen
		}
		a, aReport, aSeen := read(true)
		b, bReport, bSeen := read(false)
		for slot := range a {
			for i, v := range a[slot].numbers {
				if w := b[slot].numbers[i]; math.Float64bits(v) != math.Float64bits(w) && (v == v || w == w) {
					t.Fatalf("%v is not %v", v, w)
				}
			}
			if len(a[slot].numbers) != len(b[slot].numbers) || !slices.EqualFunc(a[slot].texts, b[slot].texts, func(x, y []byte) bool {
				return bytes.Equal(x, y) && (x == nil) == (y == nil)
			}) {
				t.Fatalf("%q is not %q", a[slot].texts, b[slot].texts)
			}
		}
		if diff := cmp.Diff(aReport, bReport, cmp.AllowUnexported(BadRow{})) + cmp.Diff(aSeen, bSeen); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A number is that of strconv, to the last bit.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1.7976931348623157e308", "9007199254740993", "0.1e-300", "123456789012345678901", "1e23", "8.41e21", "5e-324", "-.5", "5.", "1e", "0.000000000000000000000000123"} {
		f.Add(s)
	}
	d := newDecimals()
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" {
			return
		}
		v, n := d.scan([]byte(s + ","))
		if n == 0 {
			return
		}
		want, err := strconv.ParseFloat(s[:min(n, len(s))], 64)
		if err != nil || math.Float64bits(want) != math.Float64bits(v) {
			t.Fatalf("%q is %v, not %v (%v)", s, v, want, err)
		}
	})
}

// Lines are those that encoding/json takes, with the same values.
func FuzzObjects(f *testing.F) {
	f.Add([]byte("{\"a\": 1, \"b\": \"x\\u00e9\", \"c\": [1, null]}\n{\"b\":\"\",\"a\":-1e3}\n{}\n[1]\n{\"a\":1,\"a\":2}\n{\"d\":true}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := newPlan([]string{"a", "b", "c"}, Options{Types: map[string]profile.Type{"b": profile.Category}}, true)
		if err != nil {
			t.Fatal(err)
		}
		b := newBatch(p.layOut(), newDecimals())
		objects := jsonReader{batch: b}
		if err := objects.read(0, "t", chunk{text, 1}); err != nil {
			return
		}
		good := 0
		for _, line := range bytes.Split(bytes.TrimPrefix(text, []byte(bom)), []byte("\n")) {
			var row map[string]any
			if json.Unmarshal(line, &row) != nil || row == nil {
				continue
			}
			if good == b.rows {
				t.Fatalf("%q was taken as bad", line)
			}
			want := math.NaN()
			if v, ok := row["a"].(float64); ok {
				want = v
			}
			if got := b.cells[0].numbers[good]; got != want && (got == got || want == want) {
				t.Fatalf("a of %q is %v", line, got)
			}
			if s, ok := row["b"].(string); ok && !profile.IsMissing(s) && string(b.cells[1].texts[good]) != s {
				t.Fatalf("b of %q is %q", line, b.cells[1].texts[good])
			}
			good++
		}
		if good != b.rows {
			t.Fatalf("%d rows, not %d", b.rows, good)
		}
	})
}

// Whatever a column is, its importance is noted, in parts where it becomes several.
func TestImportance(t *testing.T) {
	text := "n,c,v,none,y\n1,a,\"[1,2]\",,0\n2,b,\"[3,4]\",,1\n"
	weights := map[string]float64{"n": 1, "c": 2, "v": 9, "none": 3}
	p, _, err := FromCSV("t.csv", strings.NewReader(text), Options{Label: "y", Importance: weights})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, c := range p.Features {
		name, _, _ := strings.Cut(c.Name, "[")
		got[name] += *c.Importance
	}
	if diff := cmp.Diff(weights, got); diff != "" {
		t.Error(diff)
	}
	_, _, err = FromCSV("t.csv", strings.NewReader(text), Options{Label: "y", Importance: map[string]float64{"y": 1}})
	if err == nil || !strings.Contains(err.Error(), `column "y": has an importance, but is no feature`) {
		t.Errorf("of a label: error %v", err)
	}
}

// A truth says nothing of predictions that are neither one nor classes.
func TestLabelOfSeveralPredictions(t *testing.T) {
	text := "x,p,q,y\n1,0.5,7,0\n2,0.25,8,1\n"
	_, _, err := FromCSV("t.csv", strings.NewReader(text), Options{Label: "y", Predictions: []string{"p", "q"}})
	if err == nil || !strings.Contains(err.Error(), "not the probabilities of classes") {
		t.Errorf("error %v", err)
	}
}
