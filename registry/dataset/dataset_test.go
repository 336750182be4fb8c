package dataset_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

func TestFromCSVTypes(t *testing.T) {
	const file = "\ufeffid,n,c,mixed,coded,none,label,score,skip\n" +
		"1,1.5,a,1,10, ,x,0.1,?\n" +
		"2,-2e3,b,x,20,NA,y,0.2,?\n" +
		"3,NaN,,2,10,null,x,0.3,?\n"
	p, report, err := dataset.FromCSV("t.csv", strings.NewReader(file), dataset.Options{
		Label: "label", Predictions: []string{"score"}, Ignore: []string{"skip"}, Types: map[string]profile.Type{"coded": profile.Category},
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Rows != 3 || report.Bad != 0 || p.Rows != 3 {
		t.Errorf("report %+v, %d rows", report, p.Rows)
	}
	var got []string
	for _, c := range append(slices.Clone(p.Features), p.Predictions...) {
		got = append(got, c.Name+" "+string(c.Type)+" "+strings.Repeat("-", int(c.Missing)))
	}
	want := []string{"id number ", "n number -", "c category -", "mixed category ", "coded category ", "none category ---", "score number "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFromCSVErrors(t *testing.T) {
	good := strings.Repeat("1,2\n", 200)
	for _, test := range []struct {
		name, file string
		options    dataset.Options
		want       string
	}{
		{"empty", "", dataset.Options{}, "t.csv: line 1: empty"},
		{"no rows", "a,b\n", dataset.Options{}, "t.csv: line 2: no rows"},
		{"column twice", "a,a\n1,2\n", dataset.Options{}, `line 1: column "a": twice`},
		{"column without name", "a,\n1,2\n", dataset.Options{}, "line 1: column 2: its name"},
		{"unknown label", "a,b\n1,2\n", dataset.Options{Label: "c"}, `line 1: no column "c"; there are a, b`},
		{"unknown type", "a,b\n1,2\n", dataset.Options{Types: map[string]profile.Type{"a": "date"}}, `column "a": type "date"`},
		{"nothing left", "a,b\n1,2\n", dataset.Options{Label: "a", Ignore: []string{"b"}}, "no feature is left"},
		{"too few fields", "a,b\n" + good + "1\n1\n1\n", dataset.Options{}, "t.csv: line 202: 1 fields, the header has 2; 3 of 203 rows are bad, more than 1%"},
		{"no bad rows wanted", "a,b\n" + good + "1\n", dataset.Options{MaxBadRatio: -1}, "1 of 201 rows are bad, more than 0%"},
		{"not a number", "a,b\n1,2\nx,3\n", dataset.Options{Types: map[string]profile.Type{"a": profile.Number}}, `line 3: column "a": "x" is not a finite number`},
		{"infinite", "a,b\n1,2\nInf,3\n", dataset.Options{Types: map[string]profile.Type{"a": profile.Number}}, `line 3: column "a": "Inf" is not a finite number`},
		{"no values", "a,b\n,2\n", dataset.Options{Types: map[string]profile.Type{"a": profile.Number}}, `column "a": no values`},
		{"open quote takes the rest", "a,b\n1,2\n\"" + good, dataset.Options{}, "t.csv: line 3: extraneous or missing"},
		{"lines in an open quote", "a,b\n" + good + "\"x\n" + strings.Repeat("1,2\n", 100), dataset.Options{}, "101 of 301 rows are bad"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := dataset.FromCSV("t.csv", strings.NewReader(test.file), test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestFromCSVCountsBadRows(t *testing.T) {
	file := "a,b\n" + strings.Repeat("1,2\n", 500) + "1\n\"x\"y,2\n" + strings.Repeat("1,2\n", 500)
	p, report, err := dataset.FromCSV("t.csv", strings.NewReader(file), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Rows != 1000 || report.Bad != 2 || len(report.BadRows) != 2 || report.BadRows[0].At != "line 502" || report.BadRows[1].At != "line 503" {
		t.Errorf("%d rows, report %+v", p.Rows, report)
	}
}

func TestCutShort(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte("a,b\n1,2\n3,4\n"))
	w.Close()
	p, _, err := dataset.FromCSV("whole.csv.gz", bytes.NewReader(z.Bytes()), dataset.Options{})
	if err != nil || p.Rows != 2 {
		t.Errorf("%v, %v", p, err)
	}
	if _, _, err := dataset.FromCSV("cut.csv.gz", bytes.NewReader(z.Bytes()[:z.Len()-9]), dataset.Options{}); err == nil || !strings.Contains(err.Error(), "cut.csv.gz: ") {
		t.Errorf("a file cut short: %v", err)
	}
}

func TestSeveralFiles(t *testing.T) {
	contents := map[string]string{"a.csv": "a,b\n1,x\n2\n", "b.csv": "a,b\n3,x\n4,y\n", "c.csv": "b,a\nx,1\n"}
	read := func(o dataset.Options, names ...string) (*profile.Profile, dataset.Report, error) {
		var sources []dataset.Source
		for _, name := range names {
			sources = append(sources, dataset.Memory(name, []byte(contents[name])))
		}
		return dataset.Profile(t.Context(), sources, o)
	}
	p, report, err := read(dataset.Options{MaxBadRatio: 0.5}, "a.csv", "b.csv")
	if err != nil || p.Rows != 3 || len(report.BadRows) != 1 || report.BadRows[0].File != "a.csv" || report.BadRows[0].At != "line 3" || report.BadRows[0].Reason != "1 fields, the header has 2" {
		t.Errorf("%v, %+v, %v", p, report, err)
	}
	for _, test := range []struct {
		names []string
		want  string
	}{
		{[]string{"a.csv", "b.csv"}, "a.csv: line 3: 1 fields"},
		{[]string{"b.csv", "c.csv"}, "c.csv: line 1: another header"},
		{nil, "no rows"},
	} {
		if _, _, err := read(dataset.Options{}, test.names...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}

// A read that fails says how far it came.
func TestFromCSVReadError(t *testing.T) {
	r := io.MultiReader(strings.NewReader("a,b\n1,2\n3,4\n"), iotest.ErrReader(errors.New("disk on fire")))
	if _, _, err := dataset.FromCSV("t.csv", r, dataset.Options{}); err == nil || err.Error() != "t.csv: after line 3: disk on fire" {
		t.Errorf("error %v", err)
	}
}

// Whatever the text, a profile that is made can be encoded and used.
func FuzzFromCSV(f *testing.F) {
	f.Add("a,b\n1,x\n2,y\n,\n", "", "")
	f.Add("a,b\n1e308,0.5\n-1e308,1\n5e-324,0\n", "", "b")
	f.Add("a,b,c\n\"q\"\"q\",1,\xff\n", "b", "c")
	f.Add("v,p,q\n\"[1,2]\",0.25,0.75\n\"[3,null]\",0.5,0.5\n\"[5]\",1,0\n", "", "p q")
	f.Add("v,p,q,y\n1,0.25,0.75,q\n2,0.5,0.5,p\n3,1,0,q\n4,0,1,q\n", "y", "p q")
	f.Fuzz(func(t *testing.T, file, label, predictions string) {
		p, _, err := dataset.FromCSV("f.csv", strings.NewReader(file), dataset.Options{Label: label, Predictions: strings.Fields(predictions)})
		if err != nil {
			return
		}
		b, err := p.Encode()
		if err == nil {
			p, err = profile.Parse(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		d, err := profile.Compare(p, p)
		if err != nil || d.Mean != 0 {
			t.Fatalf("distance to itself %v, %v", d, err)
		}
	})
}
