// Package metrics holds the sidecar's own metrics: requests, upstream errors, observations and why they were not made. Names and labels are API (docs/sidecar.md).
//
// Everything with a bounded set of label values exists at 0 from the start: a rate needs two samples, and a counter that appears with its first event would lose it.
package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/protocol"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// Result says what came of the observation of one inference request.
type Result string

// The results. Each inference request counts under exactly one: the reason why its request was not read, else why its response was not, else Observed or Learned.
const (
	Observed    Result = "observed"
	Learned     Result = "learned"          // no profile yet: counted, so that one can be made of it
	NoReference Result = "no_reference"     // no profile yet, and nothing to be learned: no names, or not asked for
	Sampled     Result = "skipped_sample"   // left out by --sample-ratio
	Encoded     Result = "skipped_encoding" // compressed in a way that is not read
	TooLarge    Result = "too_large"        // over --max-body, also once unpacked
	Unsupported Result = "unsupported"      // a form of the protocol that is not read
	Incomplete  Result = "incomplete"       // the connection ended, or the answer came before the body did
	Budget      Result = "dropped_budget"   // over --capture-budget, or the parser's queue was full
	Unparsable  Result = "unparsable"       // not what the protocol says, or it fits no column
	Panicked    Result = "panicked"         // an error in the parser
)

// Results lists every result.
func Results() []Result {
	return []Result{Observed, Learned, NoReference, Sampled, Encoded, TooLarge, Unsupported, Incomplete, Budget, Unparsable, Panicked}
}

// Fold says why values are counted by less than they are.
type Fold string

// The folds. Values of columns that the reference does not have are elsewhere: leeway_unknown_column_values_total.
const (
	Vector   Fold = "vector"   // values of a vector: by its norm and projections
	Size     Fold = "size"     // values or bytes of an image or audio: by their number
	Category Fold = "category" // of more categories than are kept: counted, without their name
	Column   Fold = "column"   // of columns that there is no room to learn: not counted at all
)

// Folds lists every fold.
func Folds() []Fold { return []Fold{Vector, Size, Category, Column} }

// Refusal says why a reference was not taken.
type Refusal string

// The refusals.
const (
	WrongDigest    Refusal = "digest"  // not the profile that the pod is stamped with
	OtherReference Refusal = "other"   // another one was taken
	BadReference   Refusal = "invalid" // no profile, or too large
)

// Refusals lists every refusal.
func Refusals() []Refusal { return []Refusal{WrongDigest, OtherReference, BadReference} }

// Failures of a connection to the model server that stood; those of relay.Reasons never did.
const (
	ServerClosed relay.Reason = "closed" // ended before the answer did
	ServerReset  relay.Reason = "reset"
)

// Edges of the classic duration histogram, in seconds.
func Edges() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// Metrics are the sidecar's own. Safe for concurrent use.
type Metrics struct {
	inFlight         prometheus.Gauge
	handshakes       prometheus.Counter
	duration         *prometheus.HistogramVec
	known            map[protocol.Kind]*[6]prometheus.Observer
	captured         map[Result]prometheus.Counter
	upstream, opaque *prometheus.CounterVec
	folded, refused  *prometheus.CounterVec
	limits           *prometheus.GaugeVec
}

// New registers the metrics with r. kinds are the values of the label protocol.
func New(r prometheus.Registerer, kinds ...protocol.Kind) *Metrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		r.MustRegister(v)
		return v
	}
	m := &Metrics{
		inFlight:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "leeway_requests_in_flight", Help: "Requests whose response has not ended."}),
		handshakes: prometheus.NewCounter(prometheus.CounterOpts{Name: "leeway_tls_handshake_errors_total", Help: "Clients' TLS handshakes that came to nothing."}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leeway_request_duration_seconds", Help: "From the end of a request's head to the end of its response, by protocol and class of status.",
			Buckets: Edges(), NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"protocol", "code"}),
		known:    map[protocol.Kind]*[6]prometheus.Observer{},
		upstream: counter("leeway_upstream_errors_total", "Failures of the connection to the model server, by reason.", "reason"),
		captured: map[Result]prometheus.Counter{},
		folded:   counter("leeway_folded_values_total", "Values that are counted by less than they are, by reason.", "reason"),
		refused:  counter("leeway_references_refused_total", "Profiles sent as reference that were not taken, by reason.", "reason"),
		limits:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leeway_sidecar_limit", Help: "What the sidecar takes at most."}, []string{"limit"}),
		opaque:   counter("leeway_opaque_connections_total", "Connections that pass without being followed, by reason.", "reason"),
	}
	r.MustRegister(m.inFlight, m.handshakes, m.duration, m.limits)
	for _, k := range kinds {
		m.known[k] = new([6]prometheus.Observer)
		for class := 2; class <= 5; class++ {
			m.known[k][class] = m.duration.WithLabelValues(string(k), strconv.Itoa(class)+"xx")
		}
	}
	for _, v := range append(relay.Reasons(), ServerClosed, ServerReset) {
		m.upstream.WithLabelValues(string(v))
	}
	captures := counter("leeway_captures_total", "Inference requests by what came of observing them.", "result")
	for _, v := range Results() {
		m.captured[v] = captures.WithLabelValues(string(v))
	}
	for _, v := range Folds() {
		m.folded.WithLabelValues(string(v))
	}
	for _, v := range Refusals() {
		m.refused.WithLabelValues(string(v))
	}
	for _, v := range follow.Reasons() {
		m.opaque.WithLabelValues(string(v))
	}
	return m
}

// RefusedReference counts a reference that was not taken.
func (m *Metrics) RefusedReference(why Refusal) { m.refused.WithLabelValues(string(why)).Inc() }

// Began counts a request into those in flight; Ended takes it out.
func (m *Metrics) Began() { m.inFlight.Inc() }

// Ended is the end of what Began began, whatever came of it.
func (m *Metrics) Ended() { m.inFlight.Dec() }

// Answered counts an answer with its status, or a failure of the server as 502.
func (m *Metrics) Answered(k protocol.Kind, status int, d time.Duration) {
	class := status / 100
	if known := m.known[k]; known != nil && class >= 2 && class <= 5 {
		known[class].Observe(d.Seconds())
		return
	}
	m.duration.WithLabelValues(string(k), strconv.Itoa(class)+"xx").Observe(d.Seconds())
}

// UpstreamError counts a failure of the connection to the model server.
func (m *Metrics) UpstreamError(r relay.Reason) { m.upstream.WithLabelValues(string(r)).Inc() }

// HandshakeError counts a TLS handshake that came to nothing.
func (m *Metrics) HandshakeError() { m.handshakes.Inc() }

// Captured counts what came of an observation: one of Results.
func (m *Metrics) Captured(r Result) { m.captured[r].Inc() }

// Folded counts values that are counted by less than they are.
func (m *Metrics) Folded(f Fold, n int64) { m.folded.WithLabelValues(string(f)).Add(float64(n)) }

// Limit says what the sidecar takes at most of something.
func (m *Metrics) Limit(name string, most int64) { m.limits.WithLabelValues(name).Set(float64(most)) }

// Opaque counts a connection that is no longer followed.
func (m *Metrics) Opaque(r follow.Reason) { m.opaque.WithLabelValues(string(r)).Inc() }
