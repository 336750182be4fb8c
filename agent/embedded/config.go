package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"go.uber.org/zap"
)

// Config of an Engine. Only DataDir must be set.
type Config struct {
	// DataDir holds the TSDB and the last rules that were good. It belongs to one
	// replica.
	DataDir string
	// RulesDir holds the rule files (*.yaml, *.yml). Empty: no rules.
	RulesDir string
	// RulesPoll is how often the files are looked at; 0 is 5 s.
	RulesPoll time.Duration
	// EvaluationInterval of groups that name none; 0 is 15 s.
	EvaluationInterval time.Duration
	// Lookback of instant selectors; 0 follows the evaluation intervals, see the
	// package comment.
	Lookback time.Duration
	// Retention; 0 is 15 d: a week against the week before, and a day.
	Retention time.Duration
	// OutOfOrder is how late a sample may be; 0 is 2.5 h: what the buffer of a
	// node agent holds, and the time to send it.
	OutOfOrder time.Duration
	// AlertmanagerURLs get the firing alerts. Empty: none are sent.
	AlertmanagerURLs []string
	// ExternalURL is where links in alerts lead; may be empty.
	ExternalURL string
	// Admit says whether the sender of a remote-write request may write a series;
	// an error refuses the whole request, or less where it is ErrSeries, ErrNewSeries
	// or ErrLater. Nil: everything may be written.
	Admit func(ctx context.Context, series labels.Labels) error

	Registerer prometheus.Registerer // nil: metrics are kept to itself
	Logger     *zap.Logger           // nil: silent
	Now        func() time.Time      // nil: time.Now; for what is received, not for the rules
}

// What Admit's errors may be, to refuse less than a whole request for good.
var (
	// ErrSeries refuses one series, and takes the others of the request.
	ErrSeries = errors.New("series refused")
	// ErrNewSeries is ErrSeries, unless the series is there: then it was admitted
	// when more was known, and may go on.
	ErrNewSeries = fmt.Errorf("%w, for it is new", ErrSeries)
	// ErrLater: it can't be said yet. The request is to be sent again.
	ErrLater = errors.New("not known yet")
)

func (c Config) withDefaults() (Config, error) {
	if c.DataDir == "" {
		return c, errors.New("embedded: no data directory")
	}
	for _, u := range append([]string{c.ExternalURL}, c.AlertmanagerURLs...) {
		if _, err := url.Parse(u); err != nil {
			return c, fmt.Errorf("embedded: %w", err)
		}
	}
	c.RulesPoll = cmp.Or(c.RulesPoll, 5*time.Second)
	c.EvaluationInterval = cmp.Or(c.EvaluationInterval, 15*time.Second)
	c.Retention = cmp.Or(c.Retention, 15*24*time.Hour)
	c.OutOfOrder = cmp.Or(c.OutOfOrder, 150*time.Minute)
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}
