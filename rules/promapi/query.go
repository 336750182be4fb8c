package promapi

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Point is a number at a time.
type Point struct {
	Time  time.Time
	Value float64
}

// Series is one series of an answer; of an instant query it has one point.
type Series struct {
	Labels labels.Labels
	Points []Point
}

// Query evaluates an expression at a time. A scalar is one series without labels.
func (c *Client) Query(ctx context.Context, expr string, at time.Time) ([]Series, error) {
	return c.query(ctx, expr, "query", url.Values{"time": {stamp(at)}})
}

// QueryRange evaluates an expression at every step from a time to another.
func (c *Client) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Series, error) {
	return c.query(ctx, expr, "query_range", url.Values{
		"start": {stamp(from)}, "end": {stamp(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	})
}

// Time is the server's clock.
func (c *Client) Time(ctx context.Context) (time.Time, error) {
	series, err := c.query(ctx, "time()", "query", url.Values{})
	if err != nil {
		return time.Time{}, err
	}
	if len(series) != 1 || math.IsNaN(series[0].Points[0].Value) {
		return time.Time{}, fmt.Errorf("prometheus: time() has %d values", len(series))
	}
	return unix(series[0].Points[0].Value), nil
}

func (c *Client) query(ctx context.Context, expr, endpoint string, form url.Values) ([]Series, error) {
	narrowed, err := Narrow(expr, c.matchers)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	form.Set("query", narrowed)
	form.Set("partial_response", "false") // Thanos: fail rather than leave out
	form.Set("nocache", "1")              // VictoriaMetrics: up to now, not up to 30 s ago
	var data struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	}
	if err := c.call(ctx, http.MethodPost, endpoint, form, &data); err != nil {
		return nil, fmt.Errorf("query %q: %w", narrowed, err)
	}
	series, err := parseResult(data.ResultType, data.Result)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", narrowed, err)
	}
	return series, nil
}

func parseResult(kind string, raw json.RawMessage) ([]Series, error) {
	if kind == "scalar" {
		var p point
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, err
		}
		return []Series{{Labels: labels.EmptyLabels(), Points: []Point{Point(p)}}}, nil
	}
	if kind != "vector" && kind != "matrix" {
		return nil, fmt.Errorf("the result is a %q, not numbers", kind)
	}
	var items []struct {
		Metric     map[string]string `json:"metric"`
		Value      *point            `json:"value"`
		Values     []point           `json:"values"`
		Histogram  json.RawMessage   `json:"histogram"`
		Histograms json.RawMessage   `json:"histograms"`
	}
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, err
	}
	series := make([]Series, 0, len(items))
	for _, item := range items {
		s := Series{Labels: labels.FromMap(item.Metric)}
		switch {
		case item.Histogram != nil || item.Histograms != nil:
			return nil, fmt.Errorf("%s is a native histogram, not a number", s.Labels)
		case kind == "vector" && item.Value != nil:
			s.Points = []Point{Point(*item.Value)}
		case kind == "matrix" && len(item.Values) > 0:
			for _, p := range item.Values {
				s.Points = append(s.Points, Point(p))
			}
		default:
			return nil, fmt.Errorf("%s has no value", s.Labels)
		}
		series = append(series, s)
	}
	return series, nil
}

// point reads [seconds, "value"].
type point Point

func (p *point) UnmarshalJSON(raw []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(raw, &pair); err != nil {
		return err
	}
	var at float64
	var value string
	if err := json.Unmarshal(pair[0], &at); err != nil {
		return fmt.Errorf("time of a sample: %w", err)
	}
	if err := json.Unmarshal(pair[1], &value); err != nil {
		return fmt.Errorf("value of a sample: %w", err)
	}
	x, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return fmt.Errorf("value of a sample: %w", err)
	}
	p.Time, p.Value = unix(at), x
	return nil
}

func unix(seconds float64) time.Time { return time.UnixMilli(int64(math.Round(seconds * 1000))) }

func stamp(t time.Time) string { return model.TimeFromUnixNano(t.UnixNano()).String() }
