package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/leeway-dev/leeway/agent/evidence"
)

const (
	// maxAnswer bounds what one answer of a server may be.
	maxAnswer = 256 << 20
	// leastPart is the shortest time that is asked for: where a server refuses
	// that much, asking for less is no use.
	leastPart = time.Minute
	tries     = 4
)

// Prometheus is a History in a server with Prometheus' HTTP API. It asks for raw
// samples (an instant query of a range): none are interpolated, and their times
// are those of the scrapes.
type Prometheus struct {
	base   *url.URL
	client *http.Client
	part   time.Duration // shorter once the server has refused longer ones
}

// OpenPrometheus asks a server which models it has samples of. The client adds
// what the server asks for, such as a token.
func OpenPrometheus(ctx context.Context, address string, client *http.Client, q Query, from, to time.Time) (*Prometheus, Span, error) {
	span := Span{From: from, To: to}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, span, fmt.Errorf("%q is not the URL of a Prometheus, such as http://prometheus:9090", address)
	}
	p := &Prometheus{base: u, client: client, part: partTime}
	series, err := p.query(ctx, fmt.Sprintf("group by (namespace, model_name) (last_over_time(%s[%s]))", q.selector(infoMetric), evidence.Duration(to.Sub(from))), to)
	if err != nil {
		return nil, span, err
	}
	for _, s := range series {
		span.add(Model{s.Metric["namespace"], s.Metric["model_name"]})
	}
	if len(span.Models) == 0 {
		return nil, span, fmt.Errorf("%s: %w: not one sample of %s since %s", u.Redacted(), ErrNoHistory, q.selector(infoMetric), from.UTC().Format(time.RFC3339))
	}
	return p, span, nil
}

// Part implements History.
func (p *Prometheus) Part() time.Duration { return partTime }

// Metrics implements History.
func (p *Prometheus) Metrics(ctx context.Context) ([]string, error) {
	var names []string
	err := p.get(ctx, "label/__name__/values", url.Values{"match[]": {`{__name__=~"leeway_.+"}`}}, &names)
	return names, err
}

// Read implements History.
func (p *Prometheus) Read(ctx context.Context, q Query, from, to time.Time, sink Sink) error {
	for _, name := range q.Metrics {
		for at := from; at.Before(to); {
			end := at.Add(p.part)
			if end.After(to) {
				end = to
			}
			series, err := p.query(ctx, fmt.Sprintf("%s[%s]", q.selector(name), evidence.Duration(end.Sub(at))), end)
			if tooMuch(err) && end.Sub(at) > leastPart {
				p.part = max(end.Sub(at)/2, leastPart)
				continue
			}
			if err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			for _, s := range series {
				if err := s.each(at.UnixMilli(), sink); err != nil {
					return err
				}
			}
			at = end
		}
	}
	return nil
}

// promSeries is one of a matrix or a vector.
type promSeries struct {
	Metric map[string]string `json:"metric"`
	Values []promPoint       `json:"values"`
}

// promPoint is [seconds, "value"].
type promPoint struct {
	t int64
	v float64
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *promPoint) UnmarshalJSON(b []byte) error {
	at, value, ok := bytes.Cut(bytes.Trim(b, "[]"), []byte(","))
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(at)), 64)
	if err != nil || !ok {
		return fmt.Errorf("%.40s is not a sample", b)
	}
	p.t = int64(math.Round(seconds * 1000))
	p.v, err = strconv.ParseFloat(strings.Trim(strings.TrimSpace(string(value)), `"`), 64)
	return err
}

// each gives the samples after a time: some servers include it.
func (s promSeries) each(after int64, sink Sink) error {
	ls := labels.FromMap(s.Metric)
	for _, point := range s.Values {
		if point.t <= after {
			continue
		}
		if err := sink(ls, point.t, point.v); err != nil {
			return err
		}
	}
	return nil
}

func (p *Prometheus) query(ctx context.Context, expr string, at time.Time) ([]promSeries, error) {
	var data struct {
		Result []promSeries `json:"result"`
	}
	err := p.get(ctx, "query", url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}, &data)
	return data.Result, err
}

// apiError is what a server says of a query.
type apiError struct {
	code       int
	kind, text string
	server     string
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s: status %d: %s: %s", e.server, e.code, e.kind, e.text)
}

// tooMuch says that less may be asked for with success.
func tooMuch(err error) bool {
	var e *apiError
	if !errors.As(err, &e) {
		return errors.Is(err, errTooLarge)
	}
	return e.code == http.StatusUnprocessableEntity || e.code == http.StatusRequestEntityTooLarge || e.kind == "timeout"
}

var errTooLarge = errors.New("the answer is too large")

// get asks the server, several times where that may help.
func (p *Prometheus) get(ctx context.Context, path string, form url.Values, data any) error {
	wait := time.Second
	for try := 1; ; try++ {
		err := p.once(ctx, path, form, data)
		var e *apiError
		refused := errors.As(err, &e) && (e.code < 500 && e.code != http.StatusTooManyRequests || e.kind == "timeout")
		if err == nil || refused || errors.Is(err, errTooLarge) || ctx.Err() != nil || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait *= 2
	}
}

func (p *Prometheus) once(ctx context.Context, path string, form url.Values, data any) error {
	u := p.base.JoinPath("api/v1", path)
	u.RawQuery = form.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		var why *url.Error
		if errors.As(err, &why) {
			err = why.Err // without the query
		}
		return fmt.Errorf("%s: %w: %w", p.base.Redacted(), ErrUnreachable, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("%s: %w: %w", p.base.Redacted(), ErrUnreachable, err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("%s: %w: more than %d bytes", p.base.Redacted(), errTooLarge, maxAnswer)
	}
	var answer struct {
		Status    string          `json:"status"`
		Data      json.RawMessage `json:"data"`
		ErrorType string          `json:"errorType"`
		Error     string          `json:"error"`
		Warnings  []string        `json:"warnings"`
	}
	err = json.Unmarshal(body, &answer)
	switch {
	case err != nil || answer.Status != "success" || resp.StatusCode != http.StatusOK:
		text := answer.Error
		if text == "" {
			text = fmt.Sprintf("%.200s", body)
		}
		return &apiError{code: resp.StatusCode, kind: answer.ErrorType, text: text, server: p.base.Redacted()}
	case len(answer.Warnings) > 0: // a part that is missing reads as calm
		return fmt.Errorf("%s: the answer is partial: %s", p.base.Redacted(), answer.Warnings[0])
	}
	return json.Unmarshal(answer.Data, data)
}
