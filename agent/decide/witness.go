package decide

import (
	"fmt"
	"math"
)

// byLabels decides alone wherever both versions have labels enough: Welch's test
// of the mean error, one-sided.
func byLabels(before, after Sample) (Verdict, bool) {
	if !(before.Labels >= minLabels && after.Labels >= minLabels) {
		return Verdict{}, false
	}
	was, wasVariance := before.meanError()
	is, isVariance := after.meanError()
	spread := math.Sqrt(wasVariance + isVariance)
	if math.IsNaN(is-was) || math.IsNaN(spread) {
		return Verdict{}, false
	}
	figures := fmt.Sprintf("error %s on %.0f labels, before %s on %.0f", number(is), after.Labels, number(was), before.Labels)
	if is > was && !((is-was)/spread <= confident) {
		return Verdict{Worse, ByLabels, ReasonWorse, figures + ": worse with 99.9% confidence"}, true
	}
	return Verdict{OK, ByLabels, ReasonVerified, figures}, true
}

// meanError returns the mean of the error and the variance of that mean.
func (s Sample) meanError() (mean, variance float64) {
	mean = s.ErrorSum / s.Labels
	variance = max(0, (s.ErrorSquares/s.Labels-mean*mean)/(s.Labels-1))
	return mean, variance
}

// byPredictions asks whether the version predicts as it did where it was made.
func byPredictions(after Sample) (Verdict, bool) {
	if !(after.PredictionCritical > 0) || math.IsNaN(after.PredictionZ) || math.IsNaN(after.PredictionJS) {
		return Verdict{}, false
	}
	figures := fmt.Sprintf("predictions at distance %s from their reference, z %s of %s",
		number(after.PredictionJS), number(after.PredictionZ), number(after.PredictionCritical))
	if after.PredictionZ > after.PredictionCritical && after.PredictionJS > predictionFloor {
		return Verdict{Worse, ByPredictions, ReasonWorse, figures + ": not what it predicted when it was made"}, true
	}
	return Verdict{OK, ByPredictions, ReasonVerified, figures}, true
}

// byTraffic compares the error ratio and p99. One that answers where the version
// before failed is not worse for taking longer: failing is fast.
func byTraffic(before, after Sample) (Verdict, bool) {
	if v, failing := moreErrors(before, after, risk); failing {
		return v, true
	}
	if v, slow := slower(before, after); slow {
		if _, mended := moreErrors(after, before, risk); !mended {
			return v, true
		}
	}
	if !(before.Requests >= minRequests && after.Requests >= minRequests) {
		return Verdict{}, false
	}
	return Verdict{OK, ByTraffic, ReasonVerified, fmt.Sprintf("%.2f%% errors in %.0f requests, before %.2f%% in %.0f; p99 %s, before %s",
		100*after.errorRatio(), after.Requests, 100*before.errorRatio(), before.Requests, seconds(after.P99), seconds(before.P99))}, true
}

// moreErrors is Fisher's exact test of the two error ratios, one-sided, with the
// rules' floor.
func moreErrors(before, after Sample, atRisk float64) (Verdict, bool) {
	if !(before.Requests >= minRequests && after.Requests >= minRequests) {
		return Verdict{}, false
	}
	was, is := before.errorRatio(), after.errorRatio()
	if !(is-was > errorFloor) || !(chance(before, after) < atRisk) {
		return Verdict{}, false
	}
	return Verdict{Worse, ByTraffic, ReasonWorse,
		fmt.Sprintf("%.2f%% errors in %.0f requests, before %.2f%% in %.0f", 100*is, after.Requests, 100*was, before.Requests)}, true
}

// chance is the probability that so many of all errors, or more, fall among the
// requests after by chance: the upper tail of the hypergeometric distribution.
// A normal approximation sees significance in two errors of a hundred.
func chance(before, after Sample) float64 {
	were, are := math.Floor(known(before.Errors)), math.Floor(known(after.Errors))
	total := were + are
	all := logChoose(before.Requests+after.Requests, total)
	sum := 0.0
	for x := are; x <= min(total, after.Requests); x++ {
		term := math.Exp(logChoose(after.Requests, x) + logChoose(before.Requests, total-x) - all)
		sum += term
		if term <= sum*1e-9 {
			break // beyond the mean, terms only fall
		}
	}
	return sum
}

func logChoose(n, k float64) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

// slower compares p99 by the rules' floors, where there are requests enough that
// ten lie beyond it: chance alone does not move it by half then.
func slower(before, after Sample) (Verdict, bool) {
	if !(before.Requests >= minTail && after.Requests >= minTail && before.P99 > 0) ||
		!(after.P99 > latencyFactor*before.P99 && after.P99-before.P99 > latencyFloor) {
		return Verdict{}, false
	}
	return Verdict{Worse, ByTraffic, ReasonWorse,
		fmt.Sprintf("p99 is %s, before %s", seconds(after.P99), seconds(before.P99))}, true
}

func (s Sample) errorRatio() float64 { return known(s.Errors) / s.Requests }

// known reads an absent number as none.
func known(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
		return 0
	}
	return x
}

func seconds(x float64) string {
	if !(x > 0) {
		return "not known"
	}
	return fmt.Sprintf("%.0fms", 1000*x)
}
