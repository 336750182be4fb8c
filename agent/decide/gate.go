package decide

// GateRule is one metric that a new version must reach.
type GateRule struct {
	Metric string
	// Max and Min are bounds, both inclusive; with RelativeToLive they are
	// factors of what the live version shows on the same rows.
	Max, Min       *float64
	RelativeToLive bool
}

// Gate says whether a candidate passes; live is measured on the same rows.
func Gate(rules []GateRule, candidate, live map[string]float64) (ok bool, reason Reason, message string) {
	return false, ReasonNoComparison, ""
}
