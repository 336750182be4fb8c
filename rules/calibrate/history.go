package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/rules/promapi"
)

// Source is a server that keeps history; promapi.Client is one.
type Source interface {
	QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]promapi.Series, error)
}

// Version is one that served in the time that was looked at.
type Version struct {
	Namespace string   `json:"namespace"`
	Model     string   `json:"model"`
	Version   string   `json:"version"`
	Hours     int      `json:"hours"` // in which it served
	Requests  float64  `json:"requestsAnHour"`
	Errors    float64  `json:"errorRatio"` // of all requests
	WorstHour float64  `json:"errorRatioP99"`
	P99       float64  `json:"p99Seconds"` // median of the hours
	WorstP99  float64  `json:"p99SecondsP95"`
	Columns   []Column `json:"columns"`
}

// Report is what history says.
type Report struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Versions []Version `json:"versions"`
}

const (
	versionLabels = "namespace, model_name, model_version"
	maxVersions   = 1000
	// chunk of time that one query asks for, which bounds its answer.
	chunk = 7 * 24 * time.Hour
)

// History measures every version that served since a time. progress is told what
// is looked at.
func History(ctx context.Context, s Source, since time.Duration, now time.Time, progress func(format string, args ...any)) (Report, error) {
	r := Report{To: now.Truncate(time.Hour)}
	r.From = r.To.Add(-since.Truncate(time.Hour))
	if r.To.Sub(r.From) < 48*time.Hour {
		return r, fmt.Errorf("%s is too short a time: a window is compared with the same one a day before, so two days at least, and two weeks are better", since)
	}
	h := history{ctx: ctx, source: s, from: r.From, to: r.To}
	versions, err := h.versions()
	if err != nil {
		return r, err
	}
	for i := range versions {
		v := &versions[i]
		progress("%s/%s version %s (%d of %d)", v.Namespace, v.Model, v.Version, i+1, len(versions))
		if err := h.columns(v); err != nil {
			return r, err
		}
	}
	r.Versions = versions
	return r, nil
}

type history struct {
	ctx      context.Context
	source   Source
	from, to time.Time
}

// each calls f with every series of an expression, an hour to a step, in chunks of
// time: at is the hour's index.
func (h history) each(expr string, f func(s promapi.Series, at int, value float64)) error {
	for from := h.from.Add(time.Hour); !from.After(h.to); from = from.Add(chunk) {
		to := from.Add(chunk - time.Hour)
		if to.After(h.to) {
			to = h.to
		}
		series, err := h.source.QueryRange(h.ctx, expr, from, to, time.Hour)
		if err != nil {
			return err
		}
		for _, s := range series {
			for _, p := range s.Points {
				at := int(p.Time.Sub(h.from)/time.Hour) - 1
				if at >= 0 && at < h.hours() && !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0) {
					f(s, at, p.Value)
				}
			}
		}
	}
	return nil
}

func (h history) hours() int { return int(h.to.Sub(h.from) / time.Hour) }

// versions lists who served, with the baselines of their requests.
func (h history) versions() ([]Version, error) {
	type key struct{ namespace, model, version string }
	type hourly struct{ requests, errors, p99 []float64 }
	all := map[key]*hourly{}
	of := func(s promapi.Series) *hourly {
		k := key{s.Labels.Get("namespace"), s.Labels.Get("model_name"), s.Labels.Get("model_version")}
		if all[k] == nil {
			all[k] = &hourly{requests: make([]float64, h.hours()), errors: make([]float64, h.hours())}
		}
		return all[k]
	}
	const count = "leeway_request_duration_seconds_count"
	for expr, f := range map[string]func(promapi.Series, int, float64){
		"sum by (" + versionLabels + ") (increase(" + count + "[1h]))":             func(s promapi.Series, at int, x float64) { of(s).requests[at] = x },
		"sum by (" + versionLabels + ") (increase(" + count + `{code="5xx"}[1h]))`: func(s promapi.Series, at int, x float64) { of(s).errors[at] = x },
		"histogram_quantile(0.99, sum by (" + versionLabels + `, le) (rate(leeway_request_duration_seconds_bucket{code="2xx"}[1h])))`: func(s promapi.Series, _ int, x float64) {
			of(s).p99 = append(of(s).p99, x)
		},
	} {
		if err := h.each(expr, f); err != nil {
			return nil, err
		}
	}
	if len(all) > maxVersions {
		return nil, fmt.Errorf("%d versions served: narrow the models down with --matcher, to %d at most", len(all), maxVersions)
	}
	var out []Version
	for k, x := range all {
		v := Version{Namespace: k.namespace, Model: k.model, Version: k.version, P99: median(x.p99), WorstP99: quantile(x.p99, 0.95)}
		var served, ratios []float64
		for i, n := range x.requests {
			if n > 0 {
				served = append(served, n)
				ratios = append(ratios, x.errors[i]/n)
			}
		}
		if len(served) == 0 {
			continue
		}
		v.Hours, v.Requests = len(served), median(served)
		v.Errors, v.WorstHour = total(x.errors)/total(x.requests), quantile(ratios, 0.99)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b Version) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Version, b.Version))
	})
	return out, nil
}

// columns measures the columns of a version.
func (h history) columns(v *Version) error {
	for _, kind := range []struct {
		metric, label string
		output        bool
	}{{"leeway_feature_observations_total", "feature", false}, {"leeway_prediction_observations_total", "output", true}} {
		counts := map[string]map[string]map[int]float64{} // column, bin, hour
		expr := fmt.Sprintf("sum by (%s, bin) (increase(%s{namespace=%q,model_name=%q,model_version=%q}[1h]))", kind.label, kind.metric, v.Namespace, v.Model, v.Version)
		err := h.each(expr, func(s promapi.Series, at int, x float64) {
			column, bin := s.Labels.Get(kind.label), s.Labels.Get("bin")
			if counts[column] == nil {
				counts[column] = map[string]map[int]float64{}
			}
			if counts[column][bin] == nil {
				counts[column][bin] = map[int]float64{}
			}
			counts[column][bin][at] = x
		})
		if err != nil {
			return err
		}
		for name, bins := range counts {
			v.Columns = append(v.Columns, Measure(name, kind.output, h.matrix(bins)))
		}
	}
	slices.SortFunc(v.Columns, func(a, b Column) int {
		if a.Output != b.Output {
			if b.Output {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return nil
}

// matrix puts the counts of the bins of a column into hours.
func (h history) matrix(bins map[string]map[int]float64) [][]float64 {
	hours := make([][]float64, h.hours())
	i := 0
	for _, byHour := range bins {
		for at, x := range byHour {
			if hours[at] == nil {
				hours[at] = make([]float64, len(bins))
			}
			hours[at][i] = x
		}
		i++
	}
	return hours
}
