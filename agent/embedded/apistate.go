package embedded

import (
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/rules"
)

// apiAlert is an alert as Prometheus writes it: the value is a string.
type apiAlert struct {
	Alert
	Value string `json:"value"`
}

func apiAlerts(alerts []Alert) []apiAlert {
	out := make([]apiAlert, 0, len(alerts))
	for _, a := range alerts {
		out = append(out, apiAlert{a, strconv.FormatFloat(a.Value, 'e', -1, 64)})
	}
	return out
}

func (a *api) alerts(r *http.Request) (any, error) {
	alerts, err := a.engine.Alerts(r.Context())
	if err != nil {
		return nil, err
	}
	return map[string]any{"alerts": apiAlerts(alerts)}, nil
}

type apiGroup struct {
	Name           string    `json:"name"`
	File           string    `json:"file"`
	Interval       float64   `json:"interval"`
	Limit          int       `json:"limit"`
	Rules          []apiRule `json:"rules"`
	EvaluationTime float64   `json:"evaluationTime"`
	LastEvaluation time.Time `json:"lastEvaluation"`
}

type apiRule struct {
	Name           string            `json:"name"`
	Type           string            `json:"type"`
	Query          string            `json:"query"`
	Health         rules.RuleHealth  `json:"health"`
	LastError      string            `json:"lastError,omitempty"`
	EvaluationTime float64           `json:"evaluationTime"`
	LastEvaluation time.Time         `json:"lastEvaluation"`
	Labels         map[string]string `json:"labels"`
	State          string            `json:"state,omitempty"`
	Duration       *float64          `json:"duration,omitempty"`
	KeepFiringFor  *float64          `json:"keepFiringFor,omitempty"`
	Annotations    map[string]string `json:"annotations,omitempty"`
	Alerts         []apiAlert        `json:"alerts,omitempty"`
}

func (a *api) rules(r *http.Request) (any, error) {
	kind := r.FormValue("type") // alert, record or empty
	groups := []apiGroup{}
	for _, g := range a.engine.manager.RuleGroups() {
		group := apiGroup{
			Name: g.Name(), File: g.File(), Interval: g.Interval().Seconds(), Limit: g.Limit(), Rules: []apiRule{},
			EvaluationTime: g.GetEvaluationTime().Seconds(), LastEvaluation: g.GetLastEvaluation(),
		}
		for _, rule := range g.Rules() {
			if out, ok := describeRule(rule, kind); ok {
				group.Rules = append(group.Rules, out)
			}
		}
		groups = append(groups, group)
	}
	return map[string]any{"groups": groups}, nil
}

func describeRule(rule rules.Rule, kind string) (apiRule, bool) {
	out := apiRule{
		Name: rule.Name(), Query: rule.Query().String(), Health: rule.Health(), Labels: rule.Labels().Map(),
		EvaluationTime: rule.GetEvaluationDuration().Seconds(), LastEvaluation: rule.GetEvaluationTimestamp(),
	}
	if err := rule.LastError(); err != nil {
		out.LastError = err.Error()
	}
	alerting, ok := rule.(*rules.AlertingRule)
	if !ok {
		out.Type = "recording"
		return out, kind != "alert"
	}
	hold, keep := alerting.HoldDuration().Seconds(), alerting.KeepFiringFor().Seconds()
	out.Type, out.State = "alerting", alerting.State().String()
	out.Duration, out.KeepFiringFor = &hold, &keep
	out.Annotations = alerting.Annotations().Map()
	out.Alerts = apiAlerts(activeAlerts(alerting))
	return out, kind != "record"
}

// buildInfo names the version of the Prometheus code inside, by which Grafana
// decides what it may ask for.
func (a *api) buildInfo(*http.Request) (any, error) {
	version := "3.0.0"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if v, isLib := strings.CutPrefix(dep.Version, "v0."); isLib && dep.Path == "github.com/prometheus/prometheus" {
				version = serverVersion(v)
			}
		}
	}
	return map[string]string{
		"version": version, "revision": "", "branch": "", "buildUser": "leeway", "buildDate": "",
		"goVersion": runtime.Version(),
	}, nil
}

// serverVersion turns the version of the library, without its v0., into the
// server's: 316.1 is 3.16.1.
func serverVersion(lib string) string {
	minor, patch, _ := strings.Cut(lib, ".")
	n, err := strconv.Atoi(minor)
	if err != nil || n < 300 {
		return "3.0.0"
	}
	return strconv.Itoa(n/100) + "." + strconv.Itoa(n%100) + "." + patch
}

func (a *api) runtimeInfo(*http.Request) (any, error) {
	return map[string]any{
		"storageRetention": a.engine.cfg.Retention.String(), "timeSeriesCount": a.engine.db.Head().NumSeries(),
		"goroutineCount": runtime.NumGoroutine(), "reloadConfigSuccess": a.engine.reloader.Refused() == nil,
	}, nil
}

// sources lists the node agents that send, with the age of their newest sample.
func (a *api) sources(*http.Request) (any, error) {
	type source struct {
		Node     string    `json:"node"`
		Received time.Time `json:"received"`
		Newest   time.Time `json:"newest"`
		Age      float64   `json:"ageSeconds"`
	}
	all := []source{}
	for _, s := range a.engine.Sources() {
		age := math.Max(a.engine.cfg.Now().Sub(s.Newest).Seconds(), 0)
		all = append(all, source{s.Node, s.Received, s.Newest, age})
	}
	return all, nil
}

// verdicts says whether the alerts can be relied on.
func (a *api) verdicts(*http.Request) (any, error) {
	h := a.engine.Health(a.engine.cfg.Now())
	return map[string]any{
		"ok": h.OK(), "groups": h.Groups, "oldestEvaluation": h.Oldest,
		"waiting": h.Waiting, "stalled": h.Stalled, "failing": h.Failing, "refused": h.Refused,
	}, nil
}
