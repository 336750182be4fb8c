package backtest

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// CSVConfig says how rows of past traffic are read. Open, Time, Model and
// Versions must be set, and Version or VersionColumn.
type CSVConfig struct {
	Name string // of the file, in errors
	// Open opens the rows, uncompressed. They are read twice: once for their times.
	Open func() (io.ReadCloser, error)
	// Time is the column of the time, in which rows must be ordered.
	Time string
	// Label is the column with the truth, where there is one. It is compared
	// with the first prediction of the profile.
	Label string
	// Version answered all rows; VersionColumn says it per row.
	Version       string
	VersionColumn string
	// Namespace and Model are labels of the samples.
	Namespace, Model string
	// Versions of the model, with profiles.
	Versions []registry.Version
	// Interval between the scrapes that are simulated.
	Interval time.Duration
	// MaxBad is the share of rows that may be unreadable; they are left out.
	MaxBad float64
}

// CSV is a History of rows: they are counted into the bins of their version's
// profile as a sidecar counts them, and the counters are scraped.
type CSV struct {
	CSVConfig
	in      io.ReadCloser
	rows    *csv.Reader
	line    int
	columns csvColumns
	next    *row // read, but later than what was asked for
	scraped time.Time

	served []*server // by version, in the order of their first row
	now    *server   // of the latest row

	Rows, Bad int64
	first     error // of the bad rows
}

// row is one row; the cells are those of the reader's last record.
type row struct {
	at    time.Time
	cells []string
}

type csvColumns struct{ time, version, label int }

// OpenCSV reads the header and the times. Rows out of order are an error that
// names the line.
func OpenCSV(ctx context.Context, cfg CSVConfig) (*CSV, Span, error) {
	c := &CSV{CSVConfig: cfg}
	var from, to time.Time
	if err := c.open(); err != nil {
		return nil, Span{}, err
	}
	for {
		r, err := c.read(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, Span{}, errors.Join(err, c.Close())
		}
		if from.IsZero() {
			from = r.at
		}
		if r.at.Before(to.Add(-c.Interval)) {
			return nil, Span{}, errors.Join(c.errorf("its time %s is before that of the row above, %s: sort the rows by column %q",
				r.at.Format(time.RFC3339), to.Format(time.RFC3339), c.Time), c.Close())
		}
		if r.at.After(to) {
			to = r.at
		}
	}
	if from.IsZero() {
		return nil, Span{}, errors.Join(fmt.Errorf("%s: %w: not one row with a time", c.Name, ErrNoHistory), c.Close())
	}
	if c.tooBad() {
		return nil, Span{}, errors.Join(fmt.Errorf("%s: %d of %d rows can't be read; first: %w", c.Name, c.Bad, c.Rows+c.Bad, c.first), c.Close())
	}
	err := errors.Join(c.Close(), c.open())
	return c, Span{From: from, To: to, Models: []Model{{cfg.Namespace, cfg.Model}}}, err
}

func (c *CSV) tooBad() bool { return float64(c.Bad) > c.MaxBad*float64(c.Rows+c.Bad) }

func (c *CSV) open() error {
	in, err := c.Open()
	if err != nil {
		return err
	}
	c.in, c.rows, c.Rows, c.Bad, c.first = in, csv.NewReader(in), 0, 0, nil
	c.rows.ReuseRecord = true
	header, err := c.rows.Read()
	if err != nil {
		return fmt.Errorf("%s: line 1: want a header with the names of the columns: %w", c.Name, err)
	}
	c.line = 1
	header = slices.Clone(header)
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	find := func(name, flag string) int {
		if name == "" {
			return -1
		}
		i := slices.Index(header, name)
		if i < 0 {
			err = errors.Join(err, fmt.Errorf("%s: line 1: no column %q (%s); there are %s", c.Name, name, flag, strings.Join(header, ", ")))
		}
		return i
	}
	c.columns = csvColumns{find(c.Time, "time"), find(c.VersionColumn, "version"), find(c.Label, "label")}
	if err != nil {
		return err
	}
	c.served, c.now, c.next, c.scraped = nil, nil, nil, time.Time{}
	for i := range c.Versions {
		v := &c.Versions[i]
		if c.VersionColumn == "" && fmt.Sprint(v.Number) != c.Version {
			continue
		}
		s, err := newServer(c, v, header)
		if errors.Is(err, registry.ErrNoProfile) && c.VersionColumn != "" {
			continue // an error where a row names it
		}
		if err != nil {
			return err
		}
		c.served = append(c.served, s)
	}
	if len(c.served) == 0 {
		return fmt.Errorf("%s: no version %q of model %s with a profile", c.Name, c.Version, c.Model)
	}
	return nil
}

// Close closes the file.
func (c *CSV) Close() error { return c.in.Close() }

func (c *CSV) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: line %d: "+format, append([]any{c.Name, c.line}, args...)...)
}

// read returns the next row that can be read.
func (c *CSV) read(ctx context.Context) (*row, error) {
	for {
		cells, err := c.rows.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case errors.As(err, &broken):
			c.line = broken.StartLine
			c.bad(c.errorf("%w", broken.Err))
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: after line %d: %w", c.Name, c.line, err)
		}
		c.line, _ = c.rows.FieldPos(0)
		if c.line%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		at, ok := dataset.ParseTime(strings.TrimSpace(cells[c.columns.time]))
		if !ok {
			c.bad(c.errorf("column %q: %q is not a time: write RFC 3339, 2024-05-31 23:59:59 (UTC) or seconds since 1970", c.Time, cells[c.columns.time]))
			continue
		}
		c.Rows++
		return &row{at, cells}, nil
	}
}

func (c *CSV) bad(err error) {
	c.Bad++
	if c.first == nil {
		c.first = err
	}
}

// Metrics implements History.
func (c *CSV) Metrics(context.Context) ([]string, error) {
	names := []string{infoMetric, "leeway_request_duration_seconds_count", "leeway_feature_observations_total", "leeway_prediction_observations_total"}
	if c.Label != "" {
		names = append(names, "leeway_feedback_rows_total", "leeway_feedback_outcomes_total", "leeway_answer_observations_total", "leeway_feedback_absolute_error_total", "leeway_feedback_squared_error_total")
	}
	for _, s := range c.served {
		for _, f := range s.facts {
			if name := f.Series.Get(model.MetricNameLabel); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// Part implements History: rows are counted when their time has come, so that a
// live profile holds none of the future.
func (c *CSV) Part() time.Duration { return 0 }

// Read implements History.
func (c *CSV) Read(ctx context.Context, _ Query, from, to time.Time, sink Sink) error {
	if c.scraped.IsZero() {
		if err := c.begin(ctx, from); err != nil {
			return err
		}
		// Zeros first: the first rows are an increase.
		if err := c.scrape(c.scraped, sink); err != nil {
			return err
		}
	}
	for at := c.scraped.Add(c.Interval); !at.After(to); at = at.Add(c.Interval) {
		if err := c.count(ctx, at); err != nil {
			return err
		}
		if err := c.scrape(at, sink); err != nil {
			return err
		}
		c.scraped = at
	}
	return nil
}

// begin leaves out the rows up to a time, and finds which version answers then.
func (c *CSV) begin(ctx context.Context, from time.Time) error {
	c.scraped = from.Truncate(c.Interval)
	for {
		r, err := c.read(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.at.After(c.scraped) {
			c.next = r
			c.now, err = c.server(r)
			return err
		}
	}
}

// count counts the rows up to a time.
func (c *CSV) count(ctx context.Context, until time.Time) error {
	for {
		if c.next == nil {
			r, err := c.read(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			c.next = r
		}
		if c.next.at.After(until) {
			return nil
		}
		s, err := c.server(c.next)
		if err != nil {
			return err
		}
		s.count(c.next)
		c.now, c.next = s, nil
	}
}

// server is that of the version that answered a row.
func (c *CSV) server(r *row) (*server, error) {
	version := c.Version
	if c.columns.version >= 0 {
		version = strings.TrimPrefix(strings.TrimSpace(r.cells[c.columns.version]), "v")
	}
	for _, s := range c.served {
		if s.version == version {
			return s, nil
		}
	}
	return nil, c.errorf("version %q of %s is not in the registry, or has no profile", version, c.Model)
}

// Live is the profile of the rows that a version answered, as its sidecar would
// have told it.
func (c *CSV) Live(_ context.Context, version string, from, to time.Time) (*profile.Profile, error) {
	for _, s := range c.served {
		if s.version == version && s.rows > 0 {
			return s.recorder.Profile(from, to), nil
		}
	}
	return nil, nil
}
