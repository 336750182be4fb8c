package evaluate_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/evaluate"
)

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []evaluate.Set
	}{
		{"numbers", "actual,self,3\n10,11,14\n20,17,20\n", []evaluate.Set{{Rows: 2, Scores: []evaluate.Score{
			{0, []evaluate.Metric{{"mae", 2}, {"rmse", math.Sqrt(5)}}},
			{3, []evaluate.Metric{{"mae", 2}, {"rmse", math.Sqrt(8)}}},
		}}}},
		{"probabilities", "self,actual\n0.8,1\n0.5,0\n", []evaluate.Set{{Rows: 2, Scores: []evaluate.Score{
			{0, []evaluate.Metric{{"log_loss", -(math.Log(0.8) + math.Log(0.5)) / 2}, {"error", 0.5}}},
		}}}},
		{"a certain mistake is not infinite", "self,actual\n0,1\n0.5,0\n", []evaluate.Set{{Rows: 2, Scores: []evaluate.Score{
			{0, []evaluate.Metric{{"log_loss", -(math.Log(math.Pow(2, -52)) + math.Log(0.5)) / 2}, {"error", 1}}},
		}}}},
		{"0 and 1", "self,actual\n1,1\n1.0,0\n0,0\n0,0\n", []evaluate.Set{{Rows: 4, Scores: []evaluate.Score{{0, []evaluate.Metric{{"error", 0.25}}}}}}},
		{"classes", "actual,v2\ncat,cat\ncat,dog\n", []evaluate.Set{{Rows: 2, Scores: []evaluate.Score{{2, []evaluate.Metric{{"error", 0.5}}}}}}},
		{"data sets, a version that knows one of them, times", "dataset,time,actual,self,1\na,2026-01-02,1.5,2,\nb,2026-03-01T12:00:00Z,3,3,4\na,2026-01-01 10:00:00,2,3,\n", []evaluate.Set{
			{Dataset: "a", Rows: 2, From: time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
				Scores: []evaluate.Score{{0, []evaluate.Metric{{"mae", 0.75}, {"rmse", math.Sqrt(0.625)}}}}},
			{Dataset: "b", Rows: 1, From: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
				Scores: []evaluate.Score{{0, []evaluate.Metric{{"mae", 0}, {"rmse", 0}}}, {1, []evaluate.Metric{{"mae", 1}, {"rmse", 1}}}}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := evaluate.Read("f.csv", strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*max(1, math.Abs(a)) })
			if d := cmp.Diff(tt.want, got, close); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "the header"},
		{"no rows", "actual,self\n", "no rows"},
		{"no truth", "self\n1\n", `line 1: there is no column "actual"`},
		{"no predictions", "actual\n1\n", "no column with predictions"},
		{"a column of features", "actual,self,age\n1,1,1\n", `column "age"`},
		{"twice", "actual,3,v3\n1,1,1\n", `"v3" is there twice`},
		{"version 0", "actual,0\n1,1\n", `column "0"`},
		{"empty truth", "actual,self\n1,1\n,1\n", `line 3: column "actual" is empty`},
		{"missing later", "actual,self,1\n1,1,1\n2,2,\n", `line 3: column "1" is empty in some rows`},
		{"missing first", "actual,self,1\n1,1,\n2,2,2\n", `line 3: column "1" is empty in some rows`},
		{"ragged", "actual,self\n1,1\n2\n", "line 3"},
		{"no name", "actual,self,dataset\n1,1,\n", "line 2: the data set has no name"},
		{"no time", "actual,self,time\n1,1,yesterday\n", `line 2: time "yesterday"`},
		{"a huge cell", "actual,self\n1," + strings.Repeat("1", 2000) + "\n", "line 2: a cell has 2000 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := evaluate.Read("f.csv", strings.NewReader(tt.text))
			if !errors.Is(err, evaluate.ErrFile) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "f.csv: ") {
				t.Errorf("%v, want it to say %q", err, tt.want)
			}
		})
	}
}

// Whatever a file holds: an error, or finite metrics of every version that has
// predictions.
func FuzzRead(f *testing.F) {
	f.Add([]byte("dataset,time,actual,self,1\na,2026-01-02,1.5,2,\nb,2026-03-01T12:00:00Z,3,3,4\n"))
	f.Add([]byte("actual,self\n1,0.3\n0,1e300\n"))
	f.Add([]byte("actual,self\n\"c\nat\",dog\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		sets, err := evaluate.Read("f", bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, evaluate.ErrFile) {
				t.Fatal(err)
			}
			return
		}
		for _, s := range sets {
			for _, score := range s.Scores {
				for _, m := range score.Metrics {
					if s.Rows == 0 || m.Value < 0 || math.IsNaN(m.Value) {
						t.Fatalf("%+v", s)
					}
				}
			}
		}
	})
}
