package rules

import "slices"

// Metric is one that Leeway's programs export.
type Metric struct {
	Name string
	// Kind is counter, gauge or histogram. A histogram's series are its name with
	// _bucket, _count and _sum.
	Kind string
	// Labels that the program itself sets.
	Labels []string
	// From is sidecar, controller or node.
	From string
	// Max is the most that a gauge can be; 0: no bound is known. None is negative.
	Max float64
}

// TargetLabels are attached where metrics are scraped.
func TargetLabels(from string) []string {
	if from == "sidecar" {
		return []string{"namespace", "pod", "node", "workload", "job", "instance"}
	}
	return []string{"pod", "node", "job", "instance"}
}

// LabelValues are those of labels that have few, known ones.
func LabelValues(label string) []string {
	switch label {
	case "code":
		return []string{"2xx", "3xx", "4xx", "5xx"}
	case "leeway_cause":
		return Causes()
	case "leeway_clock":
		return clockNames()
	}
	return nil
}

// Catalogue lists what rules and dashboards may rest on. A test holds it against
// the programs' own registries.
func Catalogue() []Metric {
	version := []string{"model_name", "model_version"}
	owned := []string{"namespace", "model_name", "model_version"}
	guard := []string{"namespace", "model_name", "guard"}
	with := func(labels []string, more ...string) []string { return slices.Concat(labels, more) }
	metrics := []Metric{
		{Name: "leeway_request_duration_seconds", Kind: "histogram", Labels: with(version, "protocol", "code"), From: "sidecar"},
		{Name: "leeway_requests_in_flight", Kind: "gauge", Labels: version, From: "sidecar"},
		{Name: "leeway_upstream_errors_total", Kind: "counter", Labels: with(version, "reason"), From: "sidecar"},
		{Name: "leeway_captures_total", Kind: "counter", Labels: with(version, "result"), From: "sidecar"},
		{Name: "leeway_model_info", Kind: "gauge", Labels: with(version, "reference"), From: "sidecar", Max: 1},
		{Name: "leeway_unknown_column_values_total", Kind: "counter", Labels: version, From: "sidecar"},
		{Name: "leeway_folded_values_total", Kind: "counter", Labels: with(version, "reason"), From: "sidecar"},
		{Name: "leeway_opaque_connections_total", Kind: "counter", Labels: with(version, "reason"), From: "sidecar"},
		{Name: "leeway_tls_handshake_errors_total", Kind: "counter", Labels: version, From: "sidecar"},
		{Name: "leeway_references_refused_total", Kind: "counter", Labels: with(version, "reason"), From: "sidecar"},
		{Name: "leeway_sidecar_limit", Kind: "gauge", Labels: with(version, "limit"), From: "sidecar"},
		{Name: "leeway_model_reference_error", Kind: "gauge", Labels: with(owned, "metric"), From: "controller"},
		{Name: "leeway_prediction_bin_expected_error", Kind: "gauge", Labels: with(owned, "output", "bin", "metric"), From: "controller"},
		{Name: "leeway_prediction_bin_excess_error", Kind: "gauge", Labels: with(owned, "output", "bin"), From: "controller"},
		{Name: "leeway_model_training_data_end_timestamp_seconds", Kind: "gauge", Labels: owned, From: "controller"},
		{Name: "leeway_feedback_outcomes_total", Kind: "counter", Labels: with(owned, "actual", "predicted"), From: "controller"},
		{Name: "leeway_answer_observations_total", Kind: "counter", Labels: with(owned, "bin"), From: "controller"},
		{Name: "leeway_answer_reference_ratio", Kind: "gauge", Labels: with(owned, "bin"), From: "controller", Max: 1},
		{Name: "leeway_answer_reference_samples", Kind: "gauge", Labels: owned, From: "controller"},
		{Name: "leeway_feedback_rows_total", Kind: "counter", Labels: owned, From: "controller"},
		{Name: "leeway_feedback_absolute_error_total", Kind: "counter", Labels: owned, From: "controller"},
		{Name: "leeway_feedback_squared_error_total", Kind: "counter", Labels: owned, From: "controller"},
		{Name: "leeway_feedback_quartic_error_total", Kind: "counter", Labels: owned, From: "controller"},
		{Name: "leeway_feedback_lag_seconds", Kind: "histogram", Labels: owned, From: "controller"},
		{Name: "leeway_feedback_refused_rows_total", Kind: "counter", Labels: []string{"reason"}, From: "controller"},
		{Name: "leeway_feedback_duplicate_rows_total", Kind: "counter", From: "controller"},
		{Name: "leeway_feedback_receipts_forgotten_total", Kind: "counter", From: "controller"},
		{Name: "leeway_controller_rule_reloads_total", Kind: "counter", Labels: []string{"result"}, From: "controller"},
		{Name: "leeway_controller_received_samples_total", Kind: "counter", From: "controller"},
		{Name: "leeway_controller_refused_samples_total", Kind: "counter", Labels: []string{"reason"}, From: "controller"},
		{Name: "leeway_controller_refused_requests_total", Kind: "counter", Labels: []string{"to", "reason"}, From: "controller"},
		{Name: "leeway_controller_series", Kind: "gauge", From: "controller"},
		{Name: "leeway_controller_leader", Kind: "gauge", From: "controller", Max: 1},
		{Name: "leeway_controller_catching_up", Kind: "gauge", From: "controller", Max: 1},
		{Name: "leeway_controller_rules_current", Kind: "gauge", From: "controller", Max: 1},
		{Name: "leeway_node_pods", Kind: "gauge", From: "node"},
		{Name: "leeway_node_targets", Kind: "gauge", From: "node"},
		{Name: "leeway_node_reference_pushes_total", Kind: "counter", Labels: []string{"result"}, From: "node"},
		{Name: "leeway_decisions_total", Kind: "counter", Labels: with(guard, "cause", "action", "reason"), From: "controller"},
		{Name: "leeway_decisions_ended_total", Kind: "counter", Labels: with(guard, "action", "state", "reason"), From: "controller"},
		{Name: "leeway_guard_phase", Kind: "gauge", Labels: with(guard, "phase", "reason"), From: "controller", Max: 1},
		{Name: "leeway_guard_refused_versions", Kind: "gauge", Labels: with(guard, "reason"), From: "controller"},
		{Name: "leeway_guard_info", Kind: "gauge", Labels: with(guard, "workload"), From: "controller", Max: 1},
	}
	for _, column := range []struct{ name, label string }{{"feature", "feature"}, {"prediction", "output"}} {
		metrics = append(metrics,
			Metric{Name: "leeway_" + column.name + "_observations_total", Kind: "counter", Labels: with(version, column.label, "bin"), From: "sidecar"},
			Metric{Name: "leeway_" + column.name + "_reference_ratio", Kind: "gauge", Labels: with(owned, column.label, "bin"), From: "controller", Max: 1},
			Metric{Name: "leeway_" + column.name + "_reference_samples", Kind: "gauge", Labels: with(owned, column.label), From: "controller"},
			Metric{Name: "leeway_" + column.name + "_reference_clustering", Kind: "gauge", Labels: with(owned, column.label, "window"), From: "controller"},
			Metric{Name: "leeway_" + column.name + "_reference_rank", Kind: "gauge", Labels: with(owned, column.label, "bin"), From: "controller", Max: 1},
			Metric{Name: "leeway_" + column.name + "_bin_info", Kind: "gauge", Labels: with(owned, column.label, "bin", "lower", "upper", "category"), From: "controller", Max: 1},
		)
	}
	for _, role := range []string{"node", "controller"} {
		forward := "leeway_" + role + "_forward_"
		metrics = append(metrics,
			Metric{Name: forward + "sent_samples_total", Kind: "counter", Labels: []string{"replica"}, From: role},
			Metric{Name: forward + "dropped_samples_total", Kind: "counter", Labels: []string{"replica", "reason"}, From: role},
			Metric{Name: forward + "retries_total", Kind: "counter", Labels: []string{"replica", "answer"}, From: role},
			Metric{Name: forward + "lag_seconds", Kind: "gauge", Labels: []string{"replica"}, From: role},
			Metric{Name: forward + "pending_samples", Kind: "gauge", Labels: []string{"replica"}, From: role},
			Metric{Name: forward + "buffer_bytes", Kind: "gauge", From: role},
			Metric{Name: forward + "unbuffered_samples_total", Kind: "counter", From: role},
		)
	}
	return metrics
}
