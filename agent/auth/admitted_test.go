package auth_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
)

// Of all that a node's token could write, put together at random, nothing is
// admitted but what is said here in other words.
func TestNothingElseIsAdmitted(t *testing.T) {
	_, a, _ := stolen(t)
	values := map[string][]string{
		"__name__": {"up", "leeway_request_duration_seconds_count", "leeway_model_info", "leeway_node_pods", "process_open_fds", "ALERTS", "leeway:x:rate5m",
			"leeway_feature_reference_ratio", "leeway_feedback_rows_total", "leeway_feedback_lag_seconds_sum", "leeway_controller_leader", "leeway_guard_phase"},
		"job":           {"leeway-sidecar", "leeway-sidecar", "leeway-node", "leeway-controller", ""},
		"node":          {"n1", "n1", "n1", "n2", ""},
		"namespace":     {"ml", "ml", "bank", ""},
		"pod":           {"churn-a", "churn-a", "churn-b", "fraud-a", "leeway-node-a", "leeway-node-b", ""},
		"model_name":    {"churn", "churn", "eta", "fraud", ""},
		"model_version": {"2", "2", "3", ""},
		"le":            {"0.5", ""},
	}
	measured := map[string]bool{"up": true, "leeway_request_duration_seconds_count": true, "leeway_model_info": true}
	own := map[string]bool{"leeway_node_pods": true, "process_open_fds": true}
	of := func(value string, allowed ...string) bool {
		for _, a := range allowed {
			if value == a {
				return true
			}
		}
		return false
	}
	random := rand.New(rand.NewPCG(1, 2))
	admitted := map[string]int{}
	within(t, a, "node", func(ctx context.Context) {
		for range 50_000 {
			l := map[string]string{}
			for _, name := range slices.Sorted(maps.Keys(values)) {
				if v := values[name][random.IntN(len(values[name]))]; v != "" {
					l[name] = v
				}
			}
			if a.AdmitSeries(ctx, labels.FromMap(l)) != nil {
				continue
			}
			name := l["__name__"]
			sidecars := l["job"] == "leeway-sidecar" && l["namespace"] == "ml" && l["pod"] == "churn-a" &&
				of(l["model_name"], "churn", "") && of(l["model_version"], "2", "") &&
				(measured[name] || name == "process_open_fds") // which a sidecar has, too
			itself := l["job"] == "leeway-node" && l["pod"] == "leeway-node-a" && l["namespace"] == "" && l["model_name"] == "" && own[name]
			if l["node"] != "n1" || !sidecars && !itself {
				t.Fatalf("admitted: %v", l)
			}
			admitted[l["job"]]++
		}
	})
	if admitted["leeway-sidecar"] < 100 || admitted["leeway-node"] == 0 {
		t.Errorf("admitted %v: what may be written is not", admitted)
	}
}
