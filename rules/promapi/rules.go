package promapi

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Group is a rule group as the server runs it.
type Group struct {
	Name, File string
	Interval   time.Duration
	Evaluated  time.Time // last; zero: not yet
	Rules      []Rule
}

// Rule is a recording or an alerting rule.
type Rule struct {
	Name   string
	Query  string
	Alerts bool   // whether it is an alerting rule
	Error  string // of the last evaluation
	Labels map[string]string
	Active []Alert
}

// Alert is one that is pending or firing.
type Alert struct {
	Labels, Annotations map[string]string
	State               string
	ActiveAt            time.Time
	Value               float64
}

// Rules are all groups of the server, whoever's they are.
//
// This endpoint and not the series ALERTS: it says when each group was last
// evaluated and with what error, without which no alert and no evaluation look
// the same. Prometheus, Thanos, Mimir and vmalert have it, VictoriaMetrics passes
// it on to the vmalert that -vmalert.proxyURL names.
func (c *Client) Rules(ctx context.Context) ([]Group, error) {
	var data struct {
		Groups []group `json:"groups"`
	}
	if err := c.call(ctx, http.MethodGet, "rules", url.Values{"partial_response": {"false"}}, &data); err != nil {
		return nil, err
	}
	groups := make([]Group, 0, len(data.Groups))
	for _, g := range data.Groups {
		groups = append(groups, g.group())
	}
	return groups, nil
}

type group struct {
	Name           string    `json:"name"`
	File           string    `json:"file"`
	Interval       float64   `json:"interval"`
	LastEvaluation time.Time `json:"lastEvaluation"`
	Rules          []rule    `json:"rules"`
}

type rule struct {
	Type           string            `json:"type"`
	Name           string            `json:"name"`
	Query          string            `json:"query"`
	Health         string            `json:"health"`
	LastError      string            `json:"lastError"`
	LastEvaluation time.Time         `json:"lastEvaluation"`
	Labels         map[string]string `json:"labels"`
	Alerts         []struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		State       string            `json:"state"`
		ActiveAt    time.Time         `json:"activeAt"`
		Value       number            `json:"value"`
	} `json:"alerts"`
}

func (g group) group() Group {
	out := Group{Name: g.Name, File: g.File, Interval: time.Duration(g.Interval * float64(time.Second)), Evaluated: g.LastEvaluation}
	for _, r := range g.Rules {
		if g.LastEvaluation.IsZero() && r.LastEvaluation.After(out.Evaluated) {
			out.Evaluated = r.LastEvaluation // servers that say it by rule only
		}
		rule := Rule{Name: r.Name, Query: r.Query, Alerts: r.Type == "alerting", Error: r.LastError, Labels: r.Labels}
		if rule.Error == "" && r.Health == "err" {
			rule.Error = "an error that the server does not name"
		}
		for _, a := range r.Alerts {
			if a.State != "pending" && a.State != "firing" {
				continue
			}
			rule.Active = append(rule.Active, Alert{
				Labels: a.Labels, Annotations: a.Annotations, State: a.State, ActiveAt: a.ActiveAt, Value: float64(a.Value),
			})
		}
		out.Rules = append(out.Rules, rule)
	}
	return out
}

// number is a float that some servers quote.
type number float64

func (n *number) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		x = math.NaN()
	}
	*n = number(x)
	return nil
}
