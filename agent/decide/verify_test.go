package decide_test

import (
	"math"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/agent/decide"
)

func TestVerify(t *testing.T) {
	traffic := func(requests, ratio, p99 float64) decide.Sample {
		return decide.Sample{Requests: requests, Errors: requests * ratio, P99: p99, Ready: true, ReadySince: ago(20 * second)}
	}
	// labelled has n rows whose error has the mean and the standard deviation.
	labelled := func(s decide.Sample, n, mean, deviation float64) decide.Sample {
		s.Labels, s.ErrorSum, s.ErrorSquares = n, n*mean, n*(mean*mean+deviation*deviation)
		return s
	}
	predicting := func(s decide.Sample, z, js float64) decide.Sample {
		s.PredictionZ, s.PredictionJS, s.PredictionCritical = z, js, 4
		return s
	}
	at := func(s decide.Sample, f func(*decide.Sample)) decide.Sample { f(&s); return s }
	good := traffic(5000, 0.001, 0.020)
	nan := math.NaN()
	for _, test := range []struct {
		name          string
		before, after decide.Sample
		outcome       decide.Outcome
		by            decide.Witness
		says          string
	}{
		{"not ready yet", good, decide.Sample{}, decide.Pending, "", "20s of at most 10m"},
		{"watched", good, at(good, func(s *decide.Sample) { s.ReadySince = ago(14 * second) }), decide.Pending, "", "14s of 15s"},
		{"many errors at once end it", good, at(traffic(400, 0.2, 0.02), func(s *decide.Sample) { s.ReadySince = ago(3 * second) }), decide.Worse, decide.ByTraffic, "20.00%"},
		{"a few errors at once do not", good, at(traffic(100, 0.02, 0.02), func(s *decide.Sample) { s.ReadySince = ago(3 * second) }), decide.Pending, "", ""},

		{"slower", good, traffic(5000, 0.001, 0.040), decide.Worse, decide.ByTraffic, "p99 is 40ms, before 20ms"},
		{"slower, and answers where the other failed", traffic(5000, 0.2, 0.020), traffic(5000, 0.001, 0.040), decide.OK, decide.ByTraffic, "before 20.00%"},
		{"slower, and fails hardly less", traffic(5000, 0.009, 0.020), traffic(5000, 0.001, 0.040), decide.Worse, decide.ByTraffic, "p99"},

		{"labels: better", labelled(good, 1000, 13.3, 12), labelled(good, 1000, 8.9, 9), decide.OK, decide.ByLabels, "error 8.9"},
		{"labels: worse", labelled(good, 1000, 8.9, 9), labelled(good, 1000, 13.3, 12), decide.Worse, decide.ByLabels, "99.9%"},
		{"labels: worse by chance", labelled(good, 1000, 8.9, 9), labelled(good, 1000, 9.2, 9), decide.OK, decide.ByLabels, ""},
		// The standard error is √(81/1000·2) = 0.4025; 3.09 of them are 1.244.
		{"labels: just within", labelled(good, 1000, 8.9, 9), labelled(good, 1000, 10.14, 9), decide.OK, decide.ByLabels, ""},
		{"labels: just beyond", labelled(good, 1000, 8.9, 9), labelled(good, 1000, 10.15, 9), decide.Worse, decide.ByLabels, ""},
		{"labels: no spread, equal", labelled(good, 1000, 1, 0), labelled(good, 1000, 1, 0), decide.OK, decide.ByLabels, ""},
		{"labels: no spread, above", labelled(good, 1024, 1, 0), labelled(good, 1024, 2, 0), decide.Worse, decide.ByLabels, ""},
		{"labels overrule predictions and p99", labelled(good, 200, 9, 9), predicting(labelled(traffic(5000, 0, 0.9), 200, 5, 9), 40, 0.5), decide.OK, decide.ByLabels, ""},
		{"labels do not overrule errors beyond doubt", labelled(good, 200, 9, 9), labelled(traffic(5000, 0.2, 0.02), 200, 5, 9), decide.Worse, decide.ByTraffic, ""},
		{"199 labels are too few", labelled(good, 199, 9, 9), labelled(good, 1000, 30, 9), decide.OK, decide.ByTraffic, ""},
		{"199 labels after are too few", labelled(good, 1000, 9, 9), labelled(good, 199, 30, 9), decide.OK, decide.ByTraffic, ""},
		{"labels without a sum", labelled(good, 1000, 9, 9), labelled(good, 1000, nan, 9), decide.OK, decide.ByTraffic, ""},
		{"labels without squares", labelled(good, 1000, 9, 9), labelled(good, 1000, 10, nan), decide.OK, decide.ByTraffic, ""},

		{"predictions: as they should", good, predicting(good, 3, 0.1), decide.OK, decide.ByPredictions, "z 3 of 4"},
		{"predictions: off", good, predicting(good, 5, 0.06), decide.Worse, decide.ByPredictions, ""},
		{"predictions: significant but nothing", good, predicting(good, 5, 0.05), decide.OK, decide.ByPredictions, ""},
		{"predictions: unknown", good, predicting(good, nan, 0.3), decide.OK, decide.ByTraffic, ""},
		{"predictions don't excuse errors", traffic(2000, 0.001, 0.02), predicting(traffic(2000, 0.014, 0.02), 1, 0), decide.Worse, decide.ByTraffic, ""},
		{"predictions don't excuse p99", good, predicting(traffic(5000, 0.001, 0.04), 1, 0), decide.Worse, decide.ByTraffic, "p99 is 40ms, before 20ms"},

		{"traffic: fine", good, good, decide.OK, decide.ByTraffic, "0.10%"},
		{"traffic: fewer errors", traffic(5000, 0.2, 0.02), good, decide.OK, decide.ByTraffic, ""},
		{"traffic: under a percentage point", traffic(1e6, 0.001, 0.02), traffic(1e6, 0.0109, 0.02), decide.OK, decide.ByTraffic, ""},
		{"traffic: 3% of 100 may be chance", traffic(100, 0.01, 0.02), traffic(100, 0.03, 0.02), decide.OK, decide.ByTraffic, ""},
		// Fisher's exact test: 0.059 and 0.032.
		{"traffic: 6 of 100 after 1 of 100", traffic(100, 0.01, 0.02), traffic(100, 0.06, 0.02), decide.OK, decide.ByTraffic, ""},
		{"traffic: 7 of 100 after 1 of 100", traffic(100, 0.01, 0.02), traffic(100, 0.07, 0.02), decide.Worse, decide.ByTraffic, ""},
		{"traffic: 3% of 1,000 is not", traffic(1000, 0.01, 0.02), traffic(1000, 0.03, 0.02), decide.Worse, decide.ByTraffic, ""},
		{"traffic: slow by less than half", good, traffic(5000, 0.001, 0.030), decide.OK, decide.ByTraffic, ""},
		{"traffic: slow by less than 10 ms", traffic(5000, 0, 0.004), traffic(5000, 0, 0.012), decide.OK, decide.ByTraffic, ""},
		{"traffic: slow in too few requests", good, traffic(999, 0.001, 0.5), decide.OK, decide.ByTraffic, ""},
		{"nothing to go by", good, traffic(99, 0, 0), decide.Inconclusive, "", "99 requests"},
		{"nothing at all", decide.Sample{}, decide.Sample{Ready: true}, decide.Inconclusive, "", ""},
		{"NaN everywhere", traffic(nan, nan, nan), at(labelled(traffic(nan, nan, nan), nan, nan, nan), func(*decide.Sample) {}), decide.Inconclusive, "", "0 requests"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := decide.Verify(test.before, test.after, policy(), ago(20*second), now)
			if got.Outcome != test.outcome || got.By != test.by || !strings.Contains(got.Message, test.says) || got.Reason == "" {
				t.Errorf("got %s by %q (%s), want %s by %q saying %q: %s", got.Outcome, got.By, got.Reason, test.outcome, test.by, test.says, got.Message)
			}
		})
	}
}

func TestVerifyNotReadyInTime(t *testing.T) {
	p := policy()
	for _, test := range []struct {
		ready, waited, verify int
		outcome               decide.Outcome
	}{{0, 599, 15, decide.Pending}, {0, 600, 15, decide.Worse}, {0, 600, 1200, decide.Pending}, {30, 29, 15, decide.Pending}, {30, 30, 15, decide.Worse}} {
		p.ReadyWithin, p.VerifyFor = second*dur(test.ready), second*dur(test.verify)
		got := decide.Verify(decide.Sample{}, decide.Sample{}, p, ago(second*dur(test.waited)), now)
		if got.Outcome != test.outcome || got.Outcome == decide.Worse && got.Reason != decide.ReasonNotReady {
			t.Errorf("%+v: got %+v", test, got)
		}
	}
}

// A pod that is not ready after the rollout is timed from then on: not from the
// change, which may be longer ago than a rollout may take.
func TestVerifyNotReadyAnyMore(t *testing.T) {
	p := policy()
	p.ReadyWithin, p.VerifyFor = 600*second, 1200*second
	after := decide.Sample{ReadySince: ago(1000 * second)}
	for _, test := range []struct {
		unready int
		outcome decide.Outcome
	}{{0, decide.Pending}, {599, decide.Pending}, {600, decide.Worse}} {
		after.UnreadySince = ago(second * dur(test.unready))
		got := decide.Verify(decide.Sample{}, after, p, ago(1100*second), now)
		if got.Outcome != test.outcome || !strings.Contains(got.Message, "not ready any more") && test.outcome == decide.Worse {
			t.Errorf("%+v: got %+v", test, got)
		}
	}
}

// Pods of an autoscaler that come and go all the time put off no verdict for ever.
func TestVerifyEnds(t *testing.T) {
	p := policy()
	p.ReadyWithin, p.VerifyFor = 600*second, 60*second
	after := decide.Sample{Requests: 5000, Errors: 5, UnreadySince: ago(second)}
	for rolled, want := range map[int]decide.Outcome{659: decide.Pending, 660: decide.OK} {
		after.ReadySince = ago(second * dur(rolled))
		if got := decide.Verify(decide.Sample{Requests: 5000, Errors: 5}, after, p, ago(700*second), now); got.Outcome != want {
			t.Errorf("rolled out %d s ago: got %+v, want %s", rolled, got, want)
		}
	}
}

// A crash loop is no matter of time, nor of what the traffic of before says.
func TestVerifyCrashLoop(t *testing.T) {
	after := decide.Sample{Requests: 5000, Errors: 5, Ready: true, Crashing: "container model has ended 3 times"}
	got := decide.Verify(decide.Sample{Requests: 5000, Errors: 2500}, after, policy(), ago(second), now)
	if got.Outcome != decide.Worse || got.Reason != decide.ReasonWorse || !strings.Contains(got.Message, after.Crashing) {
		t.Errorf("got %+v", got)
	}
}
