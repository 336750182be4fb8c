package dataset_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// sample is rows with numbers, categories, missing values and a prediction.
type sample struct {
	x     []float64
	count []int64
	city  []string // "" is missing
	known []bool   // x
	score []float64
}

func newSample(rows int) sample {
	r := rand.New(rand.NewPCG(7, 7))
	var s sample
	for range rows {
		s.x = append(s.x, r.NormFloat64()*100)
		s.known = append(s.known, r.IntN(10) > 0)
		s.count = append(s.count, int64(r.IntN(50)))
		city := fmt.Sprintf("city %d", int(r.ExpFloat64()*20))
		if r.IntN(20) == 0 {
			city = ""
		}
		s.city = append(s.city, city)
		s.score = append(s.score, r.Float64())
	}
	return s
}

func (s sample) csv() []byte {
	var b bytes.Buffer
	b.WriteString("x,count,city,score\n")
	for i := range s.x {
		x := ""
		if s.known[i] {
			x = strconv.FormatFloat(s.x[i], 'g', -1, 64)
		}
		fmt.Fprintf(&b, "%s,%d,%q,%v\n", x, s.count[i], s.city[i], s.score[i])
	}
	return b.Bytes()
}

func (s sample) jsonLines() []byte {
	var b bytes.Buffer
	for i := range s.x {
		row := map[string]any{"x": s.x[i], "count": s.count[i], "city": s.city[i], "score": s.score[i]}
		if !s.known[i] {
			row["x"] = nil
		}
		if s.city[i] == "" {
			delete(row, "city")
		}
		var list []string
		for _, name := range []string{"x", "count", "city", "score"} {
			if v, ok := row[name]; ok {
				j, _ := json.Marshal(v)
				list = append(list, fmt.Sprintf("%q: %s", name, j))
			}
		}
		fmt.Fprintf(&b, "{%s}\n", strings.Join(list, ", "))
	}
	return b.Bytes()
}

func (s sample) record() arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "x", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "count", Type: arrow.PrimitiveTypes.Int64},
		{Name: "city", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}, Nullable: true},
		{Name: "score", Type: arrow.PrimitiveTypes.Float64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Field(0).(*array.Float64Builder).AppendValues(s.x, s.known)
	b.Field(1).(*array.Int64Builder).AppendValues(s.count, nil)
	for _, city := range s.city {
		if city == "" {
			b.Field(2).AppendNull()
		} else if err := b.Field(2).(*array.BinaryDictionaryBuilder).AppendString(city); err != nil {
			panic(err)
		}
	}
	b.Field(3).(*array.Float64Builder).AppendValues(s.score, nil)
	return b.NewRecordBatch()
}

func parquetOf(t testing.TB, rec arrow.RecordBatch, rowGroup int64) []byte {
	var b bytes.Buffer
	w, err := pqarrow.NewFileWriter(rec.Schema(), &b, parquet.NewWriterProperties(parquet.WithMaxRowGroupLength(rowGroup)), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.WriteBuffered(rec)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func arrowOf(t testing.TB, rec arrow.RecordBatch, stream bool) []byte {
	var b bytes.Buffer
	var w interface {
		Write(arrow.RecordBatch) error
		Close() error
	}
	w, err := ipc.NewFileWriter(&b, ipc.WithSchema(rec.Schema()), ipc.WithDictionaryDeltas(false))
	if stream {
		w, err = ipc.NewWriter(&b, ipc.WithSchema(rec.Schema())), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	const step = 1000
	for i := int64(0); err == nil && i < rec.NumRows(); i += step {
		err = w.Write(rec.NewSlice(i, min(i+step, rec.NumRows())))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func zstandard(t testing.TB, b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

func encoded(t testing.TB, o dataset.Options, sources ...dataset.Source) []byte {
	t.Helper()
	p, _, err := dataset.Profile(t.Context(), sources, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The same rows give the same bytes in every format, whatever their order, the
// files that they come in and the number of workers.
func TestSameRowsSameBytes(t *testing.T) {
	s := newSample(20_000)
	rec := s.record()
	defer rec.Release()
	o := dataset.Options{Predictions: []string{"score"}}
	csv := s.csv()
	want := encoded(t, o, dataset.Memory("a.csv", csv))
	lines := bytes.SplitAfter(csv, []byte("\n"))
	head, rows := lines[0], lines[1:len(lines)-1]
	half := bytes.Join(append([][]byte{head}, rows[:7777]...), nil)
	rest := bytes.Join(append([][]byte{head}, rows[7777:]...), nil)
	for name, sources := range map[string][]dataset.Source{
		"csv.gz":         {dataset.Memory("a.csv.gz", zipped(csv))},
		"csv.zst":        {dataset.Memory("a.csv.zst", zstandard(t, csv))},
		"csv, no name":   {dataset.Memory("-", zipped(csv))},
		"csv, CRLF":      {dataset.Memory("a.csv", bytes.ReplaceAll(csv, []byte("\n"), []byte("\r\n")))},
		"two files":      {dataset.Memory("b.csv", rest), dataset.Memory("a.csv", half)},
		"json lines":     {dataset.Memory("a.jsonl", s.jsonLines())},
		"json, no name":  {dataset.Memory("-", zstandard(t, s.jsonLines()))},
		"parquet":        {dataset.Memory("a.parquet", parquetOf(t, rec, 3000))},
		"parquet, stdin": {dataset.Memory("-", parquetOf(t, rec, 1<<20))},
		"arrow file":     {dataset.Memory("a.arrow", arrowOf(t, rec, false))},
		"arrow stream":   {dataset.Memory("-", arrowOf(t, rec, true))},
		"mixed":          {dataset.Memory("a.csv", half), dataset.Memory("b.parquet", parquetOf(t, rec.NewSlice(7777, 20_000), 5000))},
	} {
		t.Run(name, func(t *testing.T) {
			for _, workers := range []int{1, 3} {
				o := o
				o.Workers = workers
				if got := encoded(t, o, sources...); !bytes.Equal(got, want) {
					t.Errorf("%d workers: another profile: %s", workers, firstDifference(got, want))
				}
			}
		})
	}
}

func firstDifference(a, b []byte) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("…%s, not …%s", a[max(i-60, 0):min(i+60, len(a))], b[max(i-60, 0):min(i+60, len(b))])
}

func TestArrowTypes(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}},
		{Name: "paid", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "half", Type: arrow.FixedWidthTypes.Float16},
		{Name: "emb", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)},
		{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_ms},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	var rows []string
	for i := range 40 {
		row := fmt.Sprintf(`{"price": "%d.25", "paid": %t, "half": %d.5, "emb": [%d, 2], "at": %d}`, i, i%3 == 0, i, i, 1_700_000_000_000+int64(i)*3_600_000)
		rows = append(rows, row)
		if err := b.UnmarshalJSON([]byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	rec := b.NewRecordBatch()
	source := dataset.Memory("a.parquet", parquetOf(t, rec, 1000))
	text := strings.ReplaceAll(strings.Join(rows, "\n"), `.25"`, `.25`)
	text = strings.ReplaceAll(text, `"price": "`, `"price": `)
	o := dataset.Options{Time: "at"}
	if got, want := encoded(t, o, source), encoded(t, o, dataset.Memory("a.jsonl", []byte(text))); !bytes.Equal(got, want) {
		t.Error(firstDifference(got, want))
	}
	p, err := profile.Parse(encoded(t, o, source))
	if err != nil || p.From == nil || p.From.UnixMilli() != 1_700_000_000_000 {
		t.Errorf("%v, from %v", err, p.From)
	}
	_, _, err = dataset.Profile(t.Context(), []dataset.Source{source}, dataset.Options{})
	if err == nil || !strings.Contains(err.Error(), `a.parquet: column "at": holds times (timestamp[ms, tz=UTC]): name it with --time, or leave it out with --ignore`) {
		t.Errorf("error %v", err)
	}
	_, _, err = dataset.Profile(t.Context(), []dataset.Source{source}, dataset.Options{Time: "price", Ignore: []string{"at"}})
	if err != nil { // a number is seconds since 1970
		t.Error(err)
	}
}

func TestArrowRefusesAndCounts(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "x", Type: arrow.PrimitiveTypes.Float64},
		{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Float64})},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := range 200 {
		b.Field(0).(*array.Float64Builder).Append(float64(i))
		b.Field(1).AppendEmptyValue()
	}
	b.Field(0).(*array.Float64Builder).Append(inf())
	b.Field(1).AppendEmptyValue()
	rec := b.NewRecordBatch()
	for _, source := range []dataset.Source{dataset.Memory("a.parquet", parquetOf(t, rec, 1000)), dataset.Memory("a.arrow", arrowOf(t, rec, true))} {
		if _, _, err := dataset.Profile(t.Context(), []dataset.Source{source}, dataset.Options{}); err == nil || !strings.Contains(err.Error(), `column "s": holds struct`) {
			t.Errorf("error %v", err)
		}
		p, report, err := dataset.Profile(t.Context(), []dataset.Source{source}, dataset.Options{Ignore: []string{"s"}})
		if err != nil || p.Rows != 200 || report.Bad != 1 || report.BadRows[0].At != "row 201" {
			t.Errorf("%v, %+v", err, report)
		}
	}
}

func inf() float64 { f, _ := strconv.ParseFloat("Inf", 64); return f }

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	s := newSample(1000)
	rec := s.record()
	for name, b := range map[string][]byte{
		"year=2024/b.parquet": parquetOf(t, rec, 1<<20), "year=2024/_SUCCESS": nil, ".hidden/c.csv": []byte("x\n1\n"), "a.csv.gz": zipped(s.csv()), "notes.txt": []byte("x"),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := dataset.Files(dir)
	if err != nil || len(list) != 2 || !strings.HasSuffix(list[0].Name, "a.csv.gz") {
		t.Fatalf("%v, %v", list, err)
	}
	p, _, err := dataset.Profile(t.Context(), list, dataset.Options{})
	if err != nil || p.Rows != 2000 {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := dataset.Files(filepath.Join(dir, ".hidden", "..", "year=2024", "..", ".hidden")); err != nil {
		t.Error(err)
	}
	if _, err := dataset.Files(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no files of a known format; there are .arrow") {
		t.Errorf("error %v", err)
	}
}
