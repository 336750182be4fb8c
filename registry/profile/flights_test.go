package profile_test

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// The flights of testdata/README.md, and the versions that golden.py compares
// with its months.
const flightsFile = "testdata/flights-8000-per-month.csv.gz"

var versions = map[string][]int{
	"v1-winter": {1, 2}, "v2-spring": {3, 4, 5}, "v3-summer": {6, 7, 8}, "v4-autumn": {9, 10},
}

var features = []string{
	"sched_dep_min", "origin", "dest", "carrier", "distance", "temp", "dewp",
	"humid", "wind_speed", "precip", "pressure", "visib",
}

type flight struct {
	month, day int
	fields     []string // as features
}

func flights(tb testing.TB) []flight {
	tb.Helper()
	f, err := os.Open(flightsFile)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	in := csv.NewReader(unzipped)
	header, err := in.Read()
	if err != nil {
		tb.Fatal(err)
	}
	var list []flight
	for {
		record, err := in.Read()
		if err == io.EOF {
			return list
		}
		if err != nil {
			tb.Fatal(err)
		}
		var row flight
		row.month, _ = strconv.Atoi(record[0])
		row.day, _ = strconv.Atoi(record[1])
		for _, name := range features {
			row.fields = append(row.fields, record[slices.Index(header, name)])
		}
		list = append(list, row)
	}
}

func held(f flight) bool { return f.day%5 == 0 }

func where(all []flight, keep func(flight) bool) []flight {
	var some []flight
	for _, f := range all {
		if keep(f) {
			some = append(some, f)
		}
	}
	return some
}

// train makes a training profile of rows.
func train(tb testing.TB, rows []flight) *profile.Profile {
	tb.Helper()
	var text strings.Builder
	text.WriteString(strings.Join(features, ",") + "\n")
	for _, f := range rows {
		text.WriteString(strings.Join(f.fields, ",") + "\n")
	}
	p, report, err := dataset.FromCSV("flights.csv", strings.NewReader(text.String()), dataset.Options{})
	if err != nil || report.Bad > 0 {
		tb.Fatal(err, report)
	}
	return p
}

var noon = time.Date(2013, 7, 1, 12, 0, 0, 0, time.UTC)

// record makes a live profile of rows, for the columns of a reference, and
// sends it through its encoding.
func record(tb testing.TB, columns []profile.Column, rows []flight) *profile.Profile {
	tb.Helper()
	r, err := profile.NewRecorder(columns, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for i, f := range rows {
		now := noon.Add(time.Duration(i) * 50 * time.Millisecond)
		r.Lock(now)
		r.AddRows(1)
		for j, field := range f.fields {
			v, err := strconv.ParseFloat(field, 64)
			switch s := r.Feature(j); {
			case field == "":
				s.Missing()
			case err == nil:
				s.Number(v)
			default:
				s.Category(field)
			}
		}
		r.Unlock()
	}
	return reread(tb, r.Profile(noon, noon.Add(time.Hour)))
}

func reread(tb testing.TB, p *profile.Profile) *profile.Profile {
	tb.Helper()
	data, err := p.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	if p, err = profile.Parse(data); err != nil {
		tb.Fatal(err)
	}
	return p
}

// definitions are a profile's columns without their reference.
func definitions(p *profile.Profile) []profile.Column {
	var list []profile.Column
	for _, c := range p.Features {
		list = append(list, profile.Column{Name: c.Name, Type: c.Type})
	}
	return list
}

type golden struct {
	Rows    int64
	Mean    float64
	Columns map[string]float64
}

// Distances agree with those of golden.py, which has bins of its own, and
// order the versions alike; whether the data is a training profile with
// quantiles or a live one with sketches.
func TestGoldenDistances(t *testing.T) {
	var want map[string]map[string]golden
	readJSON(t, "testdata/golden-distances.json", &want)
	all := flights(t)
	reference := make(map[string]*profile.Profile)
	for v, months := range versions {
		reference[v] = train(t, where(all, func(f flight) bool { return slices.Contains(months, f.month) && !held(f) }))
	}
	plain := definitions(reference["v1-winter"])
	var worst float64
	for month := 1; month <= 12; month++ {
		key := monthKey(month)
		got := make(map[string][2]float64)
		rows := where(all, func(f flight) bool { return f.month == month })
		whole := [2]*profile.Profile{train(t, rows), record(t, plain, rows)}
		rows = where(rows, held)
		part := [2]*profile.Profile{train(t, rows), record(t, plain, rows)}
		for v, months := range versions {
			data := whole
			if slices.Contains(months, month) {
				data = part
			}
			var means [2]float64
			for i, kind := range []string{"training", "live"} {
				d, err := profile.Compare(reference[v], data[i])
				if err != nil {
					t.Fatal(err)
				}
				if data[i].Rows != want[v][key].Rows {
					t.Errorf("%s %s: %d rows, golden has %d", v, key, data[i].Rows, want[v][key].Rows)
				}
				means[i] = d.Mean
				worst = max(worst, math.Abs(d.Mean-want[v][key].Mean))
				if math.Abs(d.Mean-want[v][key].Mean) > 0.02 {
					t.Errorf("%s %s %s: mean %.4f, golden %.4f", v, key, kind, d.Mean, want[v][key].Mean)
				}
			}
			got[v] = means
		}
		for a := range versions {
			for b := range versions {
				if want[b][key].Mean-want[a][key].Mean > 0.01 && (got[a][0] >= got[b][0] || got[a][1] >= got[b][1]) {
					t.Errorf("%s: %s (%v) is not nearer than %s (%v), as golden has it", key, a, got[a], b, got[b])
				}
			}
		}
	}
	t.Logf("greatest difference of a mean: %.4f", worst)
}

func monthKey(month int) string { return strconv.Itoa(100 + month)[1:] }

func readJSON(tb testing.TB, file string, into any) {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		tb.Fatal(err)
	}
}
