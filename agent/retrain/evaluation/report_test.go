package evaluation_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/agent/retrain/evaluation"
)

func asked() evaluation.Asked {
	return evaluation.Asked{Decision: "churn-0123456789", Live: "3", Versions: []string{"1", "2"}}
}

func report() evaluation.Report {
	return evaluation.Report{
		Decision: "churn-0123456789", Rows: 4000, Loss: "mae", Live: evaluation.Live{Version: "3", Mean: 0.312},
		Versions: []evaluation.Version{{Version: "2", Mean: 0.271, Gain: 0.041, StandardError: 0.006}, {Version: "1", Mean: 0.4, Gain: -0.088, StandardError: 0}},
	}
}

func TestWrittenIsRead(t *testing.T) {
	b, err := report().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := evaluation.Find([]string{"done\n", string(b) + "\n"}, asked())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(report(), got); d != "" {
		t.Error(d)
	}
}

// As many versions as are asked for fit, whatever their numbers.
func TestTheLargestReportFits(t *testing.T) {
	r, a := report(), asked()
	r.Decision = strings.Repeat("d", 63)
	a.Decision, a.Versions, r.Versions = r.Decision, nil, nil
	for i := range evaluation.MaxVersions {
		v := evaluation.Version{Version: fmt.Sprint(1000000 + i), Mean: -math.Pi / 1e10 * float64(i+1), StandardError: math.E / 1e50}
		v.Gain = r.Live.Mean - v.Mean
		r.Versions, a.Versions = append(r.Versions, v), append(a.Versions, v.Version)
	}
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evaluation.Parse(string(b), a); err != nil {
		t.Errorf("%v: %s", err, b)
	}
	for range 3 {
		r.Versions = append(r.Versions, r.Versions...)
	}
	if _, err := r.Encode(); err == nil || !strings.Contains(err.Error(), "holds 4096") {
		t.Error(err)
	}
	r.Versions, r.Live.Mean = nil, math.NaN()
	if _, err := r.Encode(); err == nil {
		t.Error("NaN is written")
	}
}

func TestRefused(t *testing.T) {
	b, err := report().Encode()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for _, tt := range []struct{ name, text, says string }{
		{"nothing", "", "can't be read"},
		{"no JSON", "done", "can't be read"},
		{"cut", good[:100], "can't be read"},
		{"two", good + good, "something follows"},
		{"long", good + strings.Repeat(" ", 4000), "at most 4096"},
		{"of another decision", strings.Replace(good, "churn-0", "churn-1", 1), "of decision"},
		{"compared with another", strings.Replace(good, `"live":{"version":"3"`, `"live":{"version":"2"`, 1), "version 3 is in service"},
		{"of no version in service", strings.Replace(good, `"live":{"version":"3","mean":0.312}`, `"live":{}`, 1), "no mean of the version in service"},
		{"few rows", strings.Replace(good, "4000", "199", 1), "at least 200"},
		{"negative rows", strings.Replace(good, "4000", "-4000", 1), "at least 200"},
		{"half a row", strings.Replace(good, "4000", "4000.5", 1), "can't be read"},
		{"a loss with a name of its own", strings.Replace(good, `"mae"`, `"go back to 1"`, 1), "its loss has the name"},
		{"no other", strings.Replace(good, `"versions":[`, `"versions":[],"x":[`, 1), "unknown field"},
		{"none", `{"decision":"churn-0123456789","rows":4000,"loss":"mae","live":{"version":"3","mean":1},"versions":[]}`, "no other version"},
		{"not asked for", strings.Replace(good, `{"version":"2"`, `{"version":"4"`, 1), `names version "4", which was not asked for`},
		{"the one in service", strings.Replace(good, `{"version":"2"`, `{"version":"3"`, 1), "not asked for"},
		{"twice", strings.Replace(good, `{"version":"1"`, `{"version":"2"`, 1), "twice"},
		{"no gain", strings.Replace(good, `"gain":0.041,`, "", 1), "lacks its mean, gain or standardError"},
		{"null", strings.Replace(good, `"gain":0.041`, `"gain":null`, 1), "lacks its mean, gain or standardError"},
		{"text", strings.Replace(good, `"gain":0.041`, `"gain":"0.041"`, 1), "can't be read"},
		{"NaN", strings.Replace(good, `0.041`, `NaN`, 1), "can't be read"},
		{"infinite", strings.Replace(good, `0.041`, `1e999`, 1), "can't be read"},
		{"huge", strings.Replace(good, `0.312`, `1e101`, 1), "mean loss of the version in service"},
		{"negative standard error", strings.Replace(good, `0.006`, `-0.006`, 1), "standard error of -0.006"},
		{"a gain that the means don't show", strings.Replace(good, `0.041`, `0.41`, 1), "the means differ by 0.041"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := evaluation.Parse(tt.text, asked())
			if !errors.Is(err, evaluation.ErrReport) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want it to say %q", err, tt.says)
			}
		})
	}
}

func TestFind(t *testing.T) {
	if _, err := evaluation.Find(nil, asked()); !errors.Is(err, evaluation.ErrReport) || !strings.Contains(err.Error(), "no container left one") {
		t.Error(err)
	}
	if _, err := evaluation.Find([]string{"done", `{"rows":1}`}, asked()); !errors.Is(err, evaluation.ErrReport) || !strings.Contains(err.Error(), "no mean") {
		t.Error(err)
	}
}

// Whatever a pod leaves: an error that is short enough to be told, or a report of
// what was asked for with numbers that can be reckoned with.
func FuzzParse(f *testing.F) {
	b, _ := report().Encode()
	f.Add(string(b))
	f.Add(`{"decision":"churn-0123456789","rows":200,"loss":"loss","live":{"version":"3","mean":1e99},"versions":[{"version":"1","mean":0,"gain":1e99,"standardError":0}]}`)
	f.Add(`{"versions":[{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := evaluation.Parse(text, asked())
		if err != nil {
			if !errors.Is(err, evaluation.ErrReport) || len(err.Error()) > 1000 {
				t.Fatal(err)
			}
			return
		}
		if r.Decision != asked().Decision || r.Live.Version != "3" || r.Rows < 200 || len(r.Versions) == 0 || len(r.Versions) > 2 {
			t.Fatalf("%+v", r)
		}
		for _, v := range r.Versions {
			if !slices.Contains(asked().Versions, v.Version) || math.IsNaN(v.Mean+v.Gain+v.StandardError) || math.IsInf(v.Mean+v.Gain+v.StandardError, 0) || v.StandardError < 0 {
				t.Fatalf("%+v", v)
			}
		}
		if again, err := r.Encode(); err != nil {
			t.Fatal(err)
		} else if _, err := evaluation.Parse(string(again), asked()); err != nil {
			t.Fatalf("%v: %s", err, again)
		}
	})
}
