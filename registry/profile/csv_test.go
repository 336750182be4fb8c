package profile_test

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/profile"
)

func TestFromCSVTypes(t *testing.T) {
	const file = "\ufeffid,n,c,mixed,coded,none,label,score,skip\n" +
		"1,1.5,a,1,10, ,x,0.1,?\n" +
		"2,-2e3,b,x,20,NA,y,0.2,?\n" +
		"3,NaN,,2,10,null,x,0.3,?\n"
	p, report, err := profile.FromCSV("t.csv", strings.NewReader(file), profile.CSVOptions{
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

func TestFromCSVSameRowsSameBytes(t *testing.T) {
	rows := where(flights(t), func(f flight) bool { return f.month == 3 })
	first, err := train(t, rows).Encode()
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(rows)
	second, err := train(t, rows).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if profile.Digest(first) != profile.Digest(second) {
		t.Error("the same rows in another order have another digest")
	}
	third, err := train(t, rows[1:]).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if profile.Digest(first) == profile.Digest(third) {
		t.Error("other rows have the same digest")
	}
}

func TestFromCSVErrors(t *testing.T) {
	good := strings.Repeat("1,2\n", 200)
	for _, test := range []struct {
		name, file string
		options    profile.CSVOptions
		want       string
	}{
		{"empty", "", profile.CSVOptions{}, "t.csv: line 1: empty"},
		{"no rows", "a,b\n", profile.CSVOptions{}, "t.csv: line 2: no rows"},
		{"column twice", "a,a\n1,2\n", profile.CSVOptions{}, `line 1: column "a": twice`},
		{"column without name", "a,\n1,2\n", profile.CSVOptions{}, "line 1: column 2: its name"},
		{"unknown label", "a,b\n1,2\n", profile.CSVOptions{Label: "c"}, `line 1: no column "c"; there are a, b`},
		{"unknown type", "a,b\n1,2\n", profile.CSVOptions{Types: map[string]profile.Type{"a": "date"}}, `column "a": type "date"`},
		{"nothing left", "a,b\n1,2\n", profile.CSVOptions{Label: "a", Ignore: []string{"b"}}, "no feature is left"},
		{"too few fields", "a,b\n" + good + "1\n1\n1\n", profile.CSVOptions{}, "t.csv: line 202: 1 fields, the header has 2; 3 of 203 rows are bad, more than 1%"},
		{"no bad rows wanted", "a,b\n" + good + "1\n", profile.CSVOptions{MaxBadRatio: -1}, "1 of 201 rows are bad, more than 0%"},
		{"not a number", "a,b\n1,2\nx,3\n", profile.CSVOptions{Types: map[string]profile.Type{"a": profile.Number}}, `line 3: column "a": "x" is not a finite number`},
		{"infinite", "a,b\n1,2\nInf,3\n", profile.CSVOptions{Types: map[string]profile.Type{"a": profile.Number}}, `line 3: column "a": "Inf" is not a finite number`},
		{"no values", "a,b\n,2\n", profile.CSVOptions{Types: map[string]profile.Type{"a": profile.Number}}, `column "a": no values`},
		{"open quote takes the rest", "a,b\n1,2\n\"" + good, profile.CSVOptions{}, "t.csv: line 3: extraneous or missing"},
		{"too long", "a,b\n" + good, profile.CSVOptions{MaxBytes: 100}, "more than 100 bytes"},
		{"lines in an open quote", "a,b\n" + good + "\"x\n" + strings.Repeat("1,2\n", 100), profile.CSVOptions{}, "101 of 301 rows are bad"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := profile.FromCSV("t.csv", strings.NewReader(test.file), test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestFromCSVCountsBadRows(t *testing.T) {
	file := "a,b\n" + strings.Repeat("1,2\n", 500) + "1\n\"x\"y,2\n" + strings.Repeat("1,2\n", 500)
	p, report, err := profile.FromCSV("t.csv", strings.NewReader(file), profile.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Rows != 1000 || report.Bad != 2 || len(report.BadRows) != 2 || report.BadRows[0].Line != 502 || report.BadRows[1].Line != 503 {
		t.Errorf("%d rows, report %+v", p.Rows, report)
	}
}

func TestOpenCSV(t *testing.T) {
	dir := t.TempDir()
	plain, packed := filepath.Join(dir, "plain.csv"), filepath.Join(dir, "packed.csv.gz")
	const file = "a,b\n1,2\n3,4\n"
	var z strings.Builder
	w := gzip.NewWriter(&z)
	w.Write([]byte(file))
	w.Close()
	for path, content := range map[string]string{plain: file, packed: z.String()} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := profile.OpenCSV(path)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := profile.FromCSV(path, f, profile.CSVOptions{})
		if err != nil || p.Rows != 2 {
			t.Errorf("%s: %v, %v", path, p, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile(packed, []byte(z.String()[:len(z.String())-9]), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := profile.OpenCSV(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := profile.FromCSV("cut.csv.gz", f, profile.CSVOptions{}); err == nil || !strings.Contains(err.Error(), "cut.csv.gz: ") {
		t.Errorf("a file cut short: %v", err)
	}
}

func TestTableOfSeveralFiles(t *testing.T) {
	contents := map[string]string{"a.csv": "a,b\n1,x\n2\n", "b.csv": "a,b\n3,x\n4,y\n", "c.csv": "b,a\nx,1\n"}
	read := func(o profile.CSVOptions, names ...string) (*profile.Profile, profile.Report, error) {
		table := profile.NewTable(o)
		for _, name := range names {
			if err := table.Read(name, strings.NewReader(contents[name])); err != nil {
				return nil, profile.Report{}, err
			}
		}
		return table.Profile()
	}
	p, report, err := read(profile.CSVOptions{MaxBadRatio: 0.5}, "a.csv", "b.csv")
	if want := []profile.BadRow{{File: "a.csv", Line: 3, Reason: "1 fields, the header has 2"}}; err != nil || p.Rows != 3 || !slices.Equal(report.BadRows, want) {
		t.Errorf("%v, %+v, %v", p, report, err)
	}
	for _, test := range []struct {
		names   []string
		options profile.CSVOptions
		want    string
	}{
		{[]string{"a.csv", "b.csv"}, profile.CSVOptions{}, "a.csv: line 3: 1 fields"},
		{[]string{"b.csv", "c.csv"}, profile.CSVOptions{}, "c.csv: line 1: another header"},
		{[]string{"b.csv", "b.csv"}, profile.CSVOptions{MaxBytes: 23}, "b.csv: more than 23 bytes"},
		{nil, profile.CSVOptions{}, "no rows"},
	} {
		if _, _, err := read(test.options, test.names...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	if _, _, err := read(profile.CSVOptions{MaxBytes: 24}, "b.csv", "b.csv"); err != nil {
		t.Error(err)
	}
}

// A read that fails says how far it came.
func TestFromCSVReadError(t *testing.T) {
	r := io.MultiReader(strings.NewReader("a,b\n1,2\n3,4\n"), iotest.ErrReader(errors.New("disk on fire")))
	if _, _, err := profile.FromCSV("t.csv", r, profile.CSVOptions{}); err == nil || err.Error() != "t.csv: after line 3: disk on fire" {
		t.Errorf("error %v", err)
	}
}

// Whatever the text, a profile that is made can be encoded and used.
func FuzzFromCSV(f *testing.F) {
	f.Add("a,b\n1,x\n2,y\n,\n", "", "")
	f.Add("a,b\n1e308,0.5\n-1e308,1\n5e-324,0\n", "", "b")
	f.Add("a,b,c\n\"q\"\"q\",1,\xff\n", "b", "c")
	f.Add("v,p,q\n\"[1,2]\",0.25,0.75\n\"[3,null]\",0.5,0.5\n\"[5]\",1,0\n", "", "p q")
	f.Fuzz(func(t *testing.T, file, label, predictions string) {
		p, _, err := profile.FromCSV("f.csv", strings.NewReader(file), profile.CSVOptions{Label: label, Predictions: strings.Fields(predictions)})
		if err != nil {
			return
		}
		p = reread(t, p)
		d, err := profile.Compare(p, p)
		if err != nil || d.Mean != 0 {
			t.Fatalf("distance to itself %v, %v", d, err)
		}
	})
}
