package protocol_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// list is a Table of one column that keeps its values.
type list []protocol.Value

func (*list) Width() int                      { return 1 }
func (*list) Lookup([]byte) int               { return -1 }
func (*list) Unknown(int)                     {}
func (*list) Rows(int)                        {}
func (*list) Derived() protocol.Derived       { return protocol.Derived{} }
func (*list) Folded(protocol.Fold, int)       {}
func (l *list) Value(_ int, v protocol.Value) { *l = append(*l, v) }
func (l *list) Numbers(_ int, v []float64, _ int) {
	for _, v := range v {
		*l = append(*l, protocol.Value{Type: protocol.Number, Number: v})
	}
}

// same compares what was read with what strconv says: the bits, or all the digits of a long integer.
func same(t *testing.T, text string, got protocol.Value) {
	t.Helper()
	want, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(want, 0) {
		t.Fatal(err)
	}
	long := len(strings.TrimPrefix(text, "-")) > 15 && !strings.ContainsAny(text, ".eE")
	if long && (got.Type != protocol.Text || string(got.Text) != text) {
		t.Errorf("%s: got %v %q", text, got.Number, got.Text)
	}
	if !long && (got.Type != protocol.Number || math.Float64bits(got.Number) != math.Float64bits(want)) {
		t.Errorf("%s: got %v, want %v", text, got.Number, want)
	}
}

func readNumber(t *testing.T, before, text, after string) {
	t.Helper()
	var p protocol.Parser
	var l list
	body := `{"predictions":[` + before + text + after + `]}`
	if err := p.Predictions(protocol.Message{Kind: protocol.V1, Body: []byte(body)}, &l); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	same(t, text, l[strings.Count(before, ",")])
}

func TestNumbers(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "1", "-1", "10", "1234567", "12345678", "123456789", "123456789012345", "1234567890123456",
		"-12345678901234567890123", "0.1", "0.0", "-0.0", "0.000001", "0.0000001", "1.234567", "12345.67", "123456.7", "123456.78",
		"1234567.8", "12345678.9", "-12.3456", "1.7976931348623157e308", "1e400", "-1e400", "5e-324", "2.2250738585072014e-308",
		"9007199254740993.0", "9007199254740992.5", "1E+2", "1e2", "12e1", "1.5E3", "123.456e-7", "0.000000000000001",
		"0.30000000000000004", "184.10000000000005", "123456789012.345", "1234567.12345678",
	} {
		for _, before := range []string{"", "1,", "1, ", "1.5,\n"} {
			for _, after := range []string{"", " ", ",2", " ,2,3,4,5,6,7", "\n", ",12345678901234567890"} {
				readNumber(t, before, text, after)
			}
		}
	}
	for _, text := range []string{"-", "01", "-01", "00", ".5", "5.", "-.5", "1e", "1e+", "1.e5", "+1", "1_0", "0x1", "--1", "1-", "1.2.3", "1e5e5", "1e5.5", "१", "123456789a", "1234567a", "123a", "1.23a5"} {
		for _, after := range []string{"", ",2", "        "} {
			var p protocol.Parser
			var l list
			body := []byte(`{"predictions":[` + text + after + `]}`)
			if err := p.Predictions(protocol.Message{Kind: protocol.V1, Body: body}, &l); err == nil {
				t.Errorf("%s was read: %v", body, l)
			}
		}
	}
}

// Every way to write a number is read as strconv reads it.
func TestNumbersLikeStrconv(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 200_000 {
		v := rng.NormFloat64() * math.Pow(10, float64(rng.IntN(12)-4))
		switch rng.IntN(6) {
		case 0:
			texts = append(texts, strconv.FormatInt(int64(v), 10))
		case 1:
			texts = append(texts, strconv.FormatInt(rng.Int64()>>rng.IntN(63), 10))
		case 2:
			texts = append(texts, strconv.FormatFloat(v, 'e', rng.IntN(18), 64))
		case 3:
			texts = append(texts, strconv.FormatFloat(v, 'f', -1, 64))
		default:
			texts = append(texts, strconv.FormatFloat(v, 'f', rng.IntN(12), 64))
		}
	}
	for _, comma := range []string{",", ", ", " ,\n\t"} {
		var p protocol.Parser
		var l list
		body := `{"predictions":[` + strings.Join(texts, comma) + `]}`
		if err := p.Predictions(protocol.Message{Kind: protocol.V1, Body: []byte(body)}, &l); err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			v := l[i]
			if v.Type == protocol.Text { // it was valid during the call only, and lies in the body
				continue
			}
			same(t, text, v)
		}
	}
}

func FuzzNumber(f *testing.F) {
	f.Add("1.5", 0)
	f.Fuzz(func(t *testing.T, text string, pad int) {
		if _, err := strconv.ParseFloat(text, 64); err != nil || strings.Trim(text, "0123456789.-+eE") != "" || !isJSON(text) {
			return
		}
		readNumber(t, "", text, strings.Repeat(" ", pad&15))
		readNumber(t, "1,", text, ",1")
	})
}

// isJSON reports whether what strconv takes is a number of JSON.
func isJSON(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return false
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(digits), "e")
	return digits[0] >= '0' && digits[0] <= '9' && !strings.HasSuffix(mantissa, ".")
}

func TestPause(t *testing.T) {
	row := "[1.25,-2,3],"
	wide := strings.TrimSuffix(strings.Repeat(row, 50_000), ",")
	text := strings.Repeat("x", 600_000)
	for name, m := range map[string]protocol.Message{
		"rows":    {Kind: protocol.V1, Body: []byte(`{"instances":[` + wide + `]}`)},
		"records": {Kind: protocol.V1, Body: []byte(`{"instances":[` + strings.TrimSuffix(strings.Repeat(`{"a":1,"b":2},`, 45_000), ",") + `]}`)},
		"text":    {Kind: protocol.V1, Body: []byte(`{"instances":[["` + text + `",2,3]]}`)},
		"skipped": {Kind: protocol.V1, Body: []byte(`{"x":[` + wide + `],"instances":[[1,2,3]]}`)},
		"blanks":  {Kind: protocol.V1, Body: []byte(`{"instances":[[1,2,3` + strings.Repeat(" \n", 300_000) + `]]}`)},
		"lines":   {Kind: protocol.CSV, Form: protocol.FormCSV, Body: []byte("1,2,3" + strings.Repeat("\n", 600_000))},
		"csv":     {Kind: protocol.CSV, Form: protocol.FormCSV, Body: []byte(strings.Repeat("1.25,-2,3\n", 60_000))},
		"raw":     extension(`{"inputs":[{"name":"x","shape":[25000,3],"datatype":"FP64","parameters":{"binary_data_size":600000}}]}`, make([]byte, 600_000)),
		"grpc":    {Kind: protocol.V2, Form: protocol.FormGRPC, Body: grpcTensor("x", "INT64", pb(3, varints(200_000, 3)), pb(5, pb(3, make([]byte, 600_000))))},
	} {
		n := 0
		p := protocol.Parser{Pause: func() { n++ }}
		if err := p.Features(m, newSheet("a", "b", "c")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if least := len(m.Body) / (10 << 10); n < least {
			t.Errorf("%s: %d pauses in %d bytes, want %d at least", name, n, len(m.Body), least)
		}
	}
}
