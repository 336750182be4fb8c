package profile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// aDay is how far blocks of a day lie from the rest.
const aDay = `{"window":"24h","blocks":30,"periods":30,"rows":100,"distance":{"p50":0.1,"p90":0.2,"p95":0.3},"factor":1.5}`

const small = "n,c\n1,a\n2,b\n2,b\n4,\n"

// examples are a training profile and a live one of the same columns.
func examples(tb testing.TB) (training, live *profile.Profile) {
	tb.Helper()
	training, _, err := dataset.FromCSV("small.csv", strings.NewReader(small), dataset.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	r, err := profile.NewRecorder(training.Features, nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.Lock(noon)
	for i := range 9000 {
		r.AddRows(1)
		r.Feature(0).Number(float64(i * 7919 % 9000))
		r.Feature(1).Category(fmt.Sprint("k", i%3))
	}
	r.Unlock()
	return training, r.Profile(noon, noon)
}

func TestEncodeParse(t *testing.T) {
	training, live := examples(t)
	for name, p := range map[string]*profile.Profile{"training": training, "live": live} {
		data, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		q, err := profile.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, q); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		again, err := q.Encode()
		if err != nil || !bytes.Equal(data, again) {
			t.Errorf("%s: encoded again it is not the same: %v", name, err)
		}
	}
	if got, want := profile.Digest(nil), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"; got != want {
		t.Errorf("digest of nothing %s, want %s", got, want)
	}
}

func TestParseErrors(t *testing.T) {
	training, live := examples(t)
	// edit replaces text in the encoded profile, once.
	edit := func(p *profile.Profile, old, new string) string {
		data, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), old) {
			t.Fatalf("no %s in %s", old, data)
		}
		return strings.Replace(string(data), old, new, 1)
	}
	sketch := func(change func(b []byte) []byte) string {
		b := live.Features[0].Sketch
		old := base64.StdEncoding.EncodeToString(b)
		return edit(live, old, base64.StdEncoding.EncodeToString(change(bytes.Clone(b))))
	}
	set := func(i int, v ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[i:], v); return b }
	}
	for _, test := range []struct{ name, data, want string }{
		{"empty", "", "at byte 0: EOF"},
		{"cut short", edit(training, "}]", "")[:200], "at byte"},
		{"another format", edit(training, "profile/v1", "profile/v9"), `format: is "leeway.dev/profile/v9", want "leeway.dev/profile/v1"`},
		{"unknown field", edit(training, `"rows":4,"f`, `"rose":4,"f`), `unknown field "rose"`},
		{"two values", edit(training, "\n", "{}"), "more than one JSON value"},
		{"wrong type", edit(training, `"missing":0`, `"missing":"0"`), `features[0] "n": missing: is a string, want int64`},
		{"column type", edit(training, `"type":"number"`, `"type":"text"`), `feature "n": type: is "text"`},
		{"no name", edit(training, `"name":"n"`, `"name":""`), `feature "": name: want 1 to 256 bytes`},
		{"name twice", edit(training, `"name":"c"`, `"name":"n"`), `feature "n": name: twice`},
		{"more rows than the profile", edit(training, `"rows":4`, `"rows":3`), `feature "n": rows: 4, in a profile of 3`},
		{"missing", edit(training, `"missing":1`, `"missing":5`), `feature "c": missing: 5 is not between`},
		{"bin name", edit(training, `"name":"01"`, `"name":"02"`), `feature "n": bins[1].name: is "02", want "01"`},
		{"counts", edit(training, `"count":1`, `"count":2`), `feature "n": bins: counts add up to 5, but rows is 4`},
		{"negative count", edit(training, `"count":1`, `"count":-1`), `feature "n": bins[0].count: -1`},
		{"edges", edit(training, `"lower":1.5`, `"lower":0.5`), `feature "n": bins: edge 0.5 after 1`},
		{"edges apart", edit(training, `"upper":1.5`, `"upper":1.25`), `feature "n": bins[0].upper: 1.25, but the next bin begins at 1.5`},
		{"edge missing", edit(training, `"lower":1.5,`, ``), `feature "n": bins[1] "01": lower or upper`},
		{"quantiles", edit(training, `"quantiles":[1,`, `"quantiles":[`), `feature "n": quantiles: 1024 of them, want 1025`},
		{"quantiles descend", edit(training, `"quantiles":[1,`, `"quantiles":[2,`), `feature "n": quantiles[1]: 1 after 2`},
		{"categories", edit(training, `"name":"b","count":2`, `"name":"b","count":3`), `feature "c": categories: their counts`},
		{"category order", edit(training, `{"name":"b","count":2},{"name":"a","count":1}`, `{"name":"a","count":1},{"name":"b","count":2}`), `feature "c": categories[1]: "b" out of order`},
		{"seen", edit(training, `"categories"`, `"seen":"AAA=","categories"`), `feature "c": seen: 2 bytes`},
		{"clustering", edit(training, `"quantiles"`, `"clustering":{"1h":0.5},"quantiles"`), `feature "n": clustering: "1h": 0.5`},
		{"blocks", edit(training, `"features"`, `"blocks":[{"window":"1d","blocks":9}],"features"`), `blocks[0]: 0 periods of 9 blocks`},
		{"blocks of no window", edit(training, `"features"`, `"blocks":[{"window":"7"}],"features"`), `blocks[0]: "7" is not a window`},
		{"blocks out of order", edit(training, `"features"`, `"blocks":[`+aDay+`,`+aDay+`],"features"`), `blocks[1]: "24h" after a longer one`},
		{"blocks without order", edit(training, `"features"`, `"blocks":[`+strings.Replace(aDay, "0.2", "0.4", 1)+`],"features"`), `p50, p90, p95: 0.1, 0.4, 0.3`},
		{"blocks too large", edit(training, `"features"`, `"blocks":[`+strings.Repeat(" ", 16<<10)+`],"features"`), `blocks: 16386 bytes, at most 16384`},
		{"too many blocks", edit(training, `"features"`, `"blocks":[`+strings.Repeat("{},", 16)+`{}],"features"`), `blocks: 17 windows, at most 16`},
		{"column's blocks", edit(training, `"quantiles"`, `"blocks":{"1h":{"p95":2}},"quantiles"`), `feature "n": blocks: "1h": p50, p90, p95: 0, 0, 2`},
		{"error of more rows", edit(training, `"count":1}`, `"count":1,"error":{"rows":999,"rate":0}}`), `feature "n": bins[0].error: rows: 999 is not between`},
		{"error of no kind", edit(training, `"count":1}`, `"count":1,"error":{"rows":1,"mae":1}}`), `bins[0].error: want a rate, or mae and rmse`},
		{"error of two kinds", edit(training, `"count":1}`, `"count":1,"error":{"rows":1,"mae":1,"rate":0}}`), `bins[0].error: rate: beside mae`},
		{"excess", edit(training, `"count":1}`, `"count":1,"excess":-1.5}`), `feature "n": bins[0].excess: -1.5 is not between -1 and 1`},
		{"error rate", edit(training, `"count":1}`, `"count":1,"error":{"rows":1,"rate":1.5}}`), `bins[0].error: rate: 1.5`},
		{"times", edit(live, `"from":"2013`, `"from":"2014`), `to: 2013-07-01`},
		{"sketch k", sketch(set(4, 0, 1)), `feature "n": sketch: not a KLL sketch`},
		{"sketch header", sketch(set(0, 9)), `feature "n": sketch: header and length disagree`},
		{"sketch n", sketch(set(8, 1)), `sketch: its levels weigh 9000, but it says`},
		{"sketch min k", sketch(set(16, 8)), `sketch: merged from a sketch with k`},
		{"sketch levels", sketch(set(18, 200)), `sketch: 200 levels`},
		{"sketch level starts", sketch(set(20, 255, 255, 255, 255)), `sketch: levels and length disagree`},
		{"sketch with an empty level on top", sketch(emptyTop), `sketch: its highest level is empty`},
		{"sketch cut", sketch(func(b []byte) []byte { return b[:len(b)-4] }), `sketch: levels and length disagree`},
		{"sketch NaN", sketch(func(b []byte) []byte { copy(b[len(b)-4:], []byte{0, 0, 192, 127}); return b }), `sketch: level`},
		{"sketch of other rows", edit(live, `"missing":0`, `"missing":1`), `feature "n": bins: "missing" counts 0, but missing is 1`},
		{"too many columns", `{"format":"leeway.dev/profile/v1","features":[` + strings.Repeat("{},", 1000) + `{}]}`, "1001 columns, at most 1000"},
		{"too large a column", `{"format":"leeway.dev/profile/v1","features":[{"name":"` + strings.Repeat("x", profile.MaxColumn) + `"}]}`, "features[0]: 1048587 bytes"},
		{"too large", strings.Repeat(" ", profile.MaxBytes+1), "16777217 bytes, at most 16777216"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := profile.Parse([]byte(test.data))
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, profile.ErrFormat) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}

// emptyTop adds a level without values to a serialised sketch, which would make
// the library index out of range when it merges.
func emptyTop(b []byte) []byte {
	levels := int(b[18])
	end := 20 + 4*levels
	room := uint32(math.Round(1024 * math.Pow(2.0/3, float64(levels)))) // of the new level
	items := uint32(len(b)-end-8) / 4
	var top []byte
	for i := 20; i < end; i += 4 {
		binary.LittleEndian.PutUint32(b[i:], binary.LittleEndian.Uint32(b[i:])+room)
	}
	top = binary.LittleEndian.AppendUint32(top, binary.LittleEndian.Uint32(b[20:])+items)
	b[18]++
	return slices.Concat(b[:end], top, b[end:])
}

func TestEncodeRefusesWhatParseWould(t *testing.T) {
	training, _ := examples(t)
	training.Features[0].Missing++
	if _, err := training.Encode(); err == nil || !strings.Contains(err.Error(), `feature "n"`) {
		t.Errorf("error %v", err)
	}
}

// What Parse takes, it gives back the same, and everything else can use.
func FuzzParse(f *testing.F) {
	training, live := examples(f)
	timed, _ := applied(f, stream(57, 10, 1), 1)
	e := profile.NewErrors(timed.Predictions[0])
	e.Number(3, 2, 1)
	e.Apply(&timed.Predictions[0])
	for _, p := range []*profile.Profile{training, live, timed} {
		data, err := p.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := profile.Parse(data)
		if err != nil {
			return
		}
		first, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		q, err := profile.Parse(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := q.Encode()
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\n%s", err, first, second)
		}
		for _, other := range []*profile.Profile{p, training, live} {
			want, err := profile.Compare(other, p)
			if got := compareReady(other, p); err == nil && got.Err == nil && got.Mean.Distance != want.Mean {
				t.Fatalf("distance %v, made ready %v", want.Mean, got.Mean.Distance)
			}
			compareReady(p, other)
			profile.Merge(p, other) //nolint:errcheck // must not panic
		}
		if _, err := profile.NewRecorder(p.Features, p.Predictions); err != nil {
			t.Fatal(err)
		}
	})
}

// A sketch that Parse takes does no harm in the library.
func FuzzSketch(f *testing.F) {
	_, live := examples(f)
	f.Add(live.Features[0].Sketch, int64(9000))
	for _, n := range []int{1, 5, 1500} {
		r := recorder(f, oneNumber, nil)
		r.Lock(noon)
		for i := range n {
			r.Feature(0).Number(float64(i))
		}
		r.Unlock()
		f.Add(r.Profile(noon, noon).Features[0].Sketch, int64(n))
	}
	reference := fromColumn(f, []string{"1", "2", "30", "4000"}, dataset.Options{})
	f.Fuzz(func(t *testing.T, sketch []byte, n int64) {
		c := profile.Column{Name: "x", Type: profile.Number, Rows: n, Sketch: sketch}
		p := &profile.Profile{Format: profile.Format, Rows: n, Features: []profile.Column{c}}
		if _, err := p.Encode(); err != nil || len(sketch) == 0 || n == 0 {
			return
		}
		if _, _, err := profile.Shares(reference, c); err != nil {
			t.Fatal(err)
		}
		m, err := profile.Merge(p, p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Encode(); err != nil && m.Rows < profile.MaxRows {
			t.Fatal(err)
		}
	})
}

func TestEncodeIsJSON(t *testing.T) {
	training, _ := examples(t)
	data, err := training.Encode()
	if err != nil || !json.Valid(data) || data[len(data)-1] != '\n' {
		t.Errorf("%v: %s", err, data)
	}
}
