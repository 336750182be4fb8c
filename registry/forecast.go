package registry

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/registry/atlas"
)

// Rule is the word for what a match ranked by.
type Rule string

// NearerFactor times live's distance is the most that the distance of a version
// with a lower predicted error may be: what speaks for the one and against the
// other at once is switched by less often, and less often wrongly (make
// bench-match).
const NearerFactor = 0.9

// What a match ranks by.
const (
	// RuleDistance: how near the training data is.
	RuleDistance Rule = "distance"
	// RulePredicted: the error that is predicted from evaluations on data sets
	// that look like the window.
	RulePredicted Rule = "predicted_error"
	// RuleLabels: that, and the error on labelled rows of the window.
	RuleLabels Rule = "labels"
)

// Labelled is what labelled rows of the window say of versions.
type Labelled struct {
	Rows int64
	Span time.Duration
	// Errors by metric and version.
	Errors map[string]map[int64]float64
}

// Forecast is what evaluations say of a match.
type Forecast struct {
	// Metric that was predicted; of one that is higher for a better version, 1
	// less it.
	Metric string `json:"metric"`
	// Gate says whether inputs order the versions of this model: "open",
	// "closed", or "no_gate" with too few data sets to tell.
	Gate atlas.Gate `json:"gate"`
	// Datasets that were left out and predicted, R2 what inputs explain of the
	// versions' order there, T the mean gain by that over its standard error.
	Datasets int     `json:"datasets"`
	R2       float64 `json:"r2"`
	T        float64 `json:"t"`
}

// foresee adds what evaluations say, and lets them judge where they may.
func (m *Matcher) foresee(q *question, r *Result) error {
	if len(m.versions) == 0 {
		return nil
	}
	r.Rule, r.Trust = RuleDistance, "versions were not evaluated on each other's data sets: whether inputs predict quality for this model is not known"
	r.ProposeOnly = proposeOnly(RuleDistance, atlas.NoGate, q.options.Tolerance)
	f, err := m.forecast(q)
	if err != nil || f == nil {
		return err
	}
	f.tell(r)
	r.ProposeOnly = proposeOnly(f.rule, f.atlas.Gate, q.options.Tolerance)
	if f.rule == RuleDistance {
		return nil
	}
	live := int64(0)
	if q.live != nil {
		live = q.live.Number
	}
	r.judgeBy(f, live)
	return nil
}

// proposeOnly says whether a match is no more than a proposal. By distance it is
// where inputs are known not to predict quality, and where nobody knows and nobody
// vouches: who writes a tolerance says that for this model being near is being
// good, and up to what distance.
func proposeOnly(rule Rule, gate atlas.Gate, tolerance float64) bool {
	switch {
	case rule != RuleDistance || gate == atlas.Open:
		return false
	case gate == atlas.Closed:
		return true
	}
	return tolerance == 0
}

// Ranked are the candidates in the order of the rule: by distance, or by
// predicted error, those without one last.
func (r Result) Ranked() []Candidate {
	list := slices.Clone(r.Candidates)
	if r.Rule == RuleDistance || r.Rule == "" {
		return list
	}
	predicted := func(c Candidate) float64 {
		if c.PredictedError == nil {
			return math.Inf(1)
		}
		return *c.PredictedError
	}
	slices.SortStableFunc(list, func(a, b Candidate) int { return cmp.Compare(predicted(a), predicted(b)) })
	return list
}

// forecast of one match.
type forecast struct {
	*evaluations
	atlas.Prediction
	rule Rule
	// why is more to say than the atlas does.
	why string
}

// forecast says what the evaluations make of the live data; nil where there are
// none.
func (m *Matcher) forecast(q *question) (*forecast, error) {
	e, l := m.learned, q.options.Labelled
	if e == nil || len(e.homes) > 0 && !slices.Equal(m.common, q.features) {
		return nil, nil
	}
	distance, err := distances(q.data, m, e.homes)
	if err != nil {
		return nil, fmt.Errorf("data sets of evaluations: %w", err)
	}
	f := &forecast{evaluations: e, rule: RuleDistance}
	labels, why := e.labels(l)
	f.why = why
	if f.Prediction, err = e.atlas.Predict(distance, labels); err != nil {
		return nil, err
	}
	switch {
	case f.Labelled:
		f.rule = RuleLabels
	case e.atlas.Gate != atlas.Open:
	case q.live != nil && math.IsNaN(f.log(q.live.Number)):
		f.why = fmt.Sprintf("version %d, in service, was evaluated on too few of them, so distance ranks", q.live.Number)
	default:
		f.rule = RulePredicted
	}
	return f, nil
}

// labels in the table's order, or why there are none.
func (e *evaluations) labels(l *Labelled) (*atlas.Labels, string) {
	if l == nil {
		return nil, ""
	}
	if l.Span < atlas.MinSpan {
		return nil, fmt.Sprintf("the labels span %s and are not used: at least 120h are needed", l.Span)
	}
	out := &atlas.Labels{Rows: l.Rows, Span: l.Span}
	for _, version := range e.numbers {
		x, ok := l.Errors[e.metric][version]
		if !ok {
			x = math.NaN()
		}
		out.Error = append(out.Error, x)
	}
	if len(l.Errors[e.metric]) == 0 {
		return nil, fmt.Sprintf("the labels are not measured by %s, by which versions were evaluated, and are not used", e.metric)
	}
	return out, ""
}

// log is the predicted logarithm of a version's error, NaN for none.
func (f *forecast) log(version int64) float64 {
	i := slices.Index(f.numbers, version)
	if i < 0 || i >= len(f.Log) {
		return math.NaN()
	}
	return f.Log[i]
}

// tell writes what was predicted into the result.
func (f *forecast) tell(r *Result) {
	r.Rule = f.rule
	r.Forecast = &Forecast{Metric: f.metric, Gate: f.atlas.Gate, Datasets: f.atlas.Datasets, R2: f.atlas.R2, T: f.atlas.T}
	r.Trust = f.atlas.String()
	if f.why != "" {
		r.Trust += "; " + f.why
	}
	for i := range r.Candidates {
		if x := f.log(number(r.Candidates[i].Version)); !math.IsNaN(x) {
			e := math.Exp(x)
			r.Candidates[i].PredictedError = &e
		}
	}
}

// judgeBy says which candidates are better than live by their predicted errors,
// and which is best: the lowest of those that fit, if it is better. Predicted
// from inputs alone it has to be nearer than live, too, and to have done better on
// the data sets like these, or nothing predicted is better: what is known does not
// agree then. Labels of the window itself say more than that, and more than
// fitting. Versions without a prediction stay as distance judged them, and come
// after.
func (r *Result) judgeBy(f *forecast, live int64) {
	from := slices.Index(f.numbers, live)
	distance := math.Inf(1) // live's; without a profile none
	ranked := r.Ranked()
	for _, c := range ranked {
		if c.Version == r.Live {
			distance = c.Distance
		}
	}
	fits := func(c Candidate) bool { return c.Fits || f.rule == RuleLabels && c.PredictedError != nil }
	lowest := slices.IndexFunc(ranked, func(c Candidate) bool { return c.Version != r.Live && c.PredictedError != nil && fits(c) })
	better := func(c Candidate) bool { return f.Prediction.Better(from, slices.Index(f.numbers, number(c.Version))) }
	agree := f.rule == RuleLabels || lowest >= 0 && ranked[lowest].Distance <= NearerFactor*distance && better(ranked[lowest])
	for i := range r.Candidates {
		if c := &r.Candidates[i]; c.PredictedError != nil && c.Version != r.Live && live != 0 {
			c.Better = agree && better(*c)
		}
	}
	r.Best = ""
	for _, c := range r.Ranked() {
		if c.Version != r.Live && fits(c) && (c.Better || live == 0) {
			r.Best = c.Version
			return
		}
	}
}
