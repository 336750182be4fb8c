package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/agent/feedback"
)

// maxBatchText keeps a batch of long cells below what a controller takes.
const maxBatchText = 8 << 20

// badInput is the reason of rows that were not even sent.
const badInput = "bad_row"

// labelSender gathers rows into batches and sends them. One batch is under way at
// a time, so that how far it got is one number.
type labelSender struct {
	options  labelOptions
	progress *progress
	state    *labelState
	client   *labelClient
	skip     int // rows of the input that were taken an earlier time

	rows   int // of the batch, sent or not
	places []place
	text   bytes.Buffer
	csv    *csv.Writer
	bad    []labelError // rows of the batch that can't be sent
}

// place of a row that is sent.
type place struct {
	file string
	line int
	row  int // of the batch
}

// file adds the rows of one file.
func (s *labelSender) file(ctx context.Context, name string, r io.Reader) error {
	if name == "-" {
		name = "standard input"
	}
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: line 1: empty, want a header with the names of the columns", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	columns, err := s.options.columns(header)
	if err != nil {
		return fmt.Errorf("%s: line 1: %w", name, err)
	}
	width, line := len(header), 1
	for {
		record, err := in.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &broken):
			err = s.refuse(ctx, place{file: name, line: broken.StartLine}, broken.Err.Error())
		case err != nil:
			return fmt.Errorf("%s: after line %d: %w", name, line, err)
		default:
			line, _ = in.FieldPos(0)
			if len(record) != width {
				why := fmt.Sprintf("%d fields, the header has %d", len(record), width)
				err = s.refuse(ctx, place{file: name, line: line}, why)
			} else {
				err = s.add(ctx, place{file: name, line: line}, columns, record)
			}
		}
		if err != nil {
			return err
		}
	}
}

// column of what is sent: a column of the input, or the same for all rows.
type column struct {
	name  string // as the controller calls it
	field int    // in a record of the input, -1 for none
	value string
	plain func(string) string // nil: as it is
}

// columns are what is sent of an input with this header.
func (o labelOptions) columns(header []string) ([]column, error) {
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	out := []column{{name: "namespace", field: -1, value: o.namespace}}
	if o.model != "" {
		out = append(out, column{name: "model", field: -1, value: o.model})
	}
	if o.version != "" {
		out = append(out, column{name: "version", field: -1, value: o.version})
	}
	for _, c := range []struct {
		name, from string
		plain      func(string) string
	}{
		{"version", o.versionColumn, plainVersion}, {"receipt", o.receipt, nil}, {"time", o.time, plainTime},
		{"predicted", o.predicted, nil}, {"actual", o.actual, nil}, {"weight", o.weight, nil},
	} {
		if c.from == "" {
			continue
		}
		i := slices.Index(header, c.from)
		if i < 0 {
			all := strings.Join(header, ", ")
			return nil, fmt.Errorf("no column %q for --%s; there are %s", c.from, flagOf(c.name), all)
		}
		out = append(out, column{name: c.name, field: i, plain: c.plain})
	}
	return out, nil
}

func flagOf(column string) string {
	if column == "version" {
		return "version-column"
	}
	return column
}

// add takes a row into the batch, and sends the batch when it is full.
func (s *labelSender) add(ctx context.Context, at place, columns []column, record []string) error {
	if s.skip > 0 {
		s.skip--
		return nil
	}
	cells := make([]string, len(columns))
	if s.csv == nil {
		s.csv = csv.NewWriter(&s.text)
		for i, c := range columns {
			cells[i] = c.name
		}
		if err := s.csv.Write(cells); err != nil {
			return err
		}
	}
	for i, c := range columns {
		switch {
		case c.field < 0:
			cells[i] = c.value
		case c.plain != nil:
			cells[i] = c.plain(record[c.field])
		default:
			cells[i] = record[c.field]
		}
	}
	if err := s.csv.Write(cells); err != nil {
		return err
	}
	at.row = s.rows
	s.places = append(s.places, at)
	return s.taken(ctx)
}

// refuse notes a row that can't be read.
func (s *labelSender) refuse(ctx context.Context, at place, why string) error {
	if s.skip > 0 {
		s.skip--
		return nil
	}
	s.bad = append(s.bad, labelError{at.file, at.line, badInput, why, s.rows})
	return s.taken(ctx)
}

func (s *labelSender) taken(ctx context.Context) error {
	if s.rows++; s.rows < s.options.batch && s.text.Len() < maxBatchText {
		return nil
	}
	return s.flush(ctx)
}

// flush sends the batch and keeps what became of it.
func (s *labelSender) flush(ctx context.Context) error {
	if s.rows == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var answer feedback.Answer
	if len(s.places) > 0 {
		s.csv.Flush()
		var err error
		if answer, err = s.client.send(ctx, s.text.Bytes(), len(s.places)); err != nil {
			return err
		}
	}
	report := &s.state.Report
	report.Rows += s.rows
	report.Accepted += answer.Accepted
	report.Duplicate += answer.Duplicate
	report.Refused += answer.Rejected + len(s.bad)
	report.Errors = append(report.Errors, s.refusals(answer.Errors)...)
	report.Errors = report.Errors[:min(len(report.Errors), maxLabelErrors)]
	s.rows, s.places, s.bad, s.csv = 0, s.places[:0], nil, nil
	s.text.Reset()
	s.progress.more = fmt.Sprintf(", %d rows taken", report.Rows)
	return s.state.save()
}

// refusals of the batch, by the controller and before, in the order of the input.
func (s *labelSender) refusals(answered []feedback.RowError) []labelError {
	all := s.bad
	for _, e := range answered {
		if e.Index >= 0 && e.Index < len(s.places) {
			at := s.places[e.Index]
			all = append(all, labelError{at.file, at.line, e.Reason, e.Error, at.row})
		}
	}
	slices.SortFunc(all, func(a, b labelError) int { return a.row - b.row })
	return all
}

// plainVersion lets a version be written v7, as everywhere.
func plainVersion(s string) string {
	if digits, ok := strings.CutPrefix(s, "v"); ok && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return digits
	}
	return s
}

// plainTime writes as RFC 3339 what databases export: without a zone it is UTC.
// What it can't read it leaves to the controller to refuse.
func plainTime(s string) string {
	text := strings.TrimSuffix(strings.TrimSpace(s), " UTC")
	for _, layout := range []string{
		time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07", time.DateOnly,
	} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.Format(time.RFC3339Nano)
		}
	}
	return s
}
