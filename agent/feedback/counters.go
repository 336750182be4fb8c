package feedback

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxClasses bounds the classes of one version; further ones are Other.
	maxClasses = 50
	// maxVersions bounds the versions that one replica counts for.
	maxVersions = 2000
)

// Other is the class of what is beyond maxClasses.
const Other = "other"

var errTooManyVersions = errors.New("this replica counts feedback for too many versions already")

// counters are the metrics, and what bounds their labels.
type counters struct {
	outcomes *prometheus.CounterVec
	answers  *prometheus.CounterVec
	rows     *prometheus.CounterVec
	absolute *prometheus.CounterVec
	squared  *prometheus.CounterVec
	quartic  *prometheus.CounterVec
	lag      *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	// duplicates are rows whose receipt was known, forgotten are receipts that
	// made room for others before their time.
	duplicates prometheus.Counter
	forgotten  prometheus.Counter

	mu sync.Mutex
	// classes that each version has shown, at most maxClasses; its keys are the
	// versions counted, at most maxVersions.
	classes map[versionKey]map[string]bool
}

type versionKey struct{ namespace, model, version string }

func newCounters() *counters {
	labels := []string{"namespace", "model_name", "model_version"}
	vec := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help},
			append(labels[:len(labels):len(labels)], more...))
	}
	return &counters{
		outcomes: vec("leeway_feedback_outcomes_total", "Labelled predictions of classes.", "actual", "predicted"),
		answers:  vec("leeway_answer_observations_total", "Labelled predictions of classes that were right, and that were wrong.", "bin"),
		rows:     vec("leeway_feedback_rows_total", "Labelled predictions of numbers."),
		absolute: vec("leeway_feedback_absolute_error_total", "Sum of |predicted - actual| over the labelled predictions."),
		squared:  vec("leeway_feedback_squared_error_total", "Sum of (predicted - actual)² over the labelled predictions."),
		quartic:  vec("leeway_feedback_quartic_error_total", "Sum of (predicted - actual)⁴ over the labelled predictions: how sure the squared error is."),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leeway_feedback_lag_seconds", Help: "Time from a prediction to its label.",
			Buckets: []float64{1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600},
		}, labels),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leeway_feedback_refused_rows_total", Help: "Rows of feedback that were not counted, by reason.",
		}, []string{"reason"}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leeway_feedback_duplicate_rows_total", Help: "Rows of feedback whose receipt had been counted before.",
		}),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leeway_feedback_receipts_forgotten_total",
			Help: "Receipts forgotten before ten minutes were over, because there were too many.",
		}),
		classes: map[versionKey]map[string]bool{},
	}
}

func (c *counters) register(reg prometheus.Registerer) error {
	for _, r := range reasons {
		c.refused.WithLabelValues(string(r))
	}
	for _, m := range []prometheus.Collector{
		c.outcomes, c.answers, c.rows, c.absolute, c.squared, c.quartic, c.lag, c.refused, c.duplicates, c.forgotten,
	} {
		if err := reg.Register(m); err != nil {
			return fmt.Errorf("feedback: metrics: %w", err)
		}
	}
	return nil
}

// count adds one row, as often as its weight says. The lag is that of the row,
// whatever it weighs.
func (c *counters) count(row Row, now time.Time) error {
	key := versionKey{row.Namespace, row.Model, row.Version}
	predicted, actual, err := c.bound(key, row)
	if err != nil {
		return err
	}
	labels := []string{key.namespace, key.model, key.version}
	if row.Actual.IsClass {
		c.outcomes.WithLabelValues(append(labels, actual, predicted)...).Add(row.Weight)
		right, wrong := row.Weight, 0.0
		if row.Predicted.Class != row.Actual.Class {
			right, wrong = wrong, right
		}
		c.answers.WithLabelValues(append(labels, "right")...).Add(right) // both, for the rules want a 0, too
		c.answers.WithLabelValues(append(labels, "wrong")...).Add(wrong)
	} else {
		diff := row.Predicted.Number - row.Actual.Number
		c.rows.WithLabelValues(labels...).Add(row.Weight)
		c.absolute.WithLabelValues(labels...).Add(row.Weight * max(diff, -diff))
		c.squared.WithLabelValues(labels...).Add(row.Weight * diff * diff)
		c.quartic.WithLabelValues(labels...).Add(row.Weight * diff * diff * diff * diff)
	}
	if !row.Time.IsZero() {
		c.lag.WithLabelValues(labels[:3]...).Observe(max(now.Sub(row.Time).Seconds(), 0))
	}
	return nil
}

// bound notes the version and its classes, and puts what is too many into Other.
func (c *counters) bound(key versionKey, row Row) (predicted, actual string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.classes[key]
	if !ok {
		if len(c.classes) >= maxVersions {
			return "", "", errTooManyVersions
		}
		known = map[string]bool{}
		c.classes[key] = known
	}
	if !row.Actual.IsClass {
		return "", "", nil
	}
	return bounded(known, row.Predicted.Class), bounded(known, row.Actual.Class), nil
}

func bounded(known map[string]bool, class string) string {
	if known[class] {
		return class
	}
	if len(known) >= maxClasses {
		return Other
	}
	known[class] = true
	return class
}
