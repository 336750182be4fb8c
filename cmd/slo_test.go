package cmd_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/sidecar/metrics"
)

// The thresholds that rules allow are the bounds of the sidecar's histogram:
// between them nobody knows how many answers were faster.
func TestThresholdsAreTheSidecarsBounds(t *testing.T) {
	var bounds []time.Duration
	for _, edge := range metrics.Edges() {
		if d := time.Duration(edge*1e6+0.5) * time.Microsecond; d%time.Millisecond == 0 { // a values file has no shorter unit
			bounds = append(bounds, d)
		}
	}
	_, err := rules.ParseValues([]byte("slo: {latency: {threshold: 7ms}}"))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("use one of %v", bounds)) {
		t.Errorf("error %v, want one that names %v", err, bounds)
	}
}
