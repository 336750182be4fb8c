package feedback

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// columns that a CSV body may have; the header names them, in any order.
var columns = []string{"namespace", "model", "version", "receipt", "time", "predicted", "actual", "weight"}

// How the cells of predicted and actual are read, the query parameter outcomes.
const (
	anyOutcome    = ""       // what looks like a number is one
	classOutcomes = "class"  // all are classes, also 0 and 1
	onlyNumbers   = "number" // what is not a number is wrong
)

// errNotNumber is of a cell that should be one.
var errNotNumber = errors.New("is not a number")

// header says where each column is.
type header map[string]int

// cell is the text of a column, empty when there is no such column.
func (h header) cell(record []string, name string) string {
	if i, ok := h[name]; ok {
		return record[i]
	}
	return ""
}

// readCSV hands on the rows below a header. A row that can't be read is wrong by
// itself; a header that can't be read is an error of the request.
func readCSV(r io.Reader, outcomes string, take func(Row, error) error) error {
	if !slices.Contains([]string{anyOutcome, classOutcomes, onlyNumbers}, outcomes) {
		return fmt.Errorf("outcomes=%.20s: want %s or %s", outcomes, classOutcomes, onlyNumbers)
	}
	in := csv.NewReader(r)
	in.ReuseRecord = true
	names, err := in.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the body is empty; the first line names the columns, some of %s", strings.Join(columns, ", "))
	}
	if err != nil {
		return fmt.Errorf("the header can't be read: %w", err)
	}
	h, err := readHeader(names)
	if err != nil {
		return err
	}
	for {
		record, err := in.Read()
		var row Row
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &broken):
			err = broken.Err
		case err != nil:
			return err
		default:
			row, err = h.row(record, outcomes)
		}
		if err := take(row, err); err != nil {
			return err
		}
	}
}

func readHeader(names []string) (header, error) {
	h := header{}
	for i, name := range names {
		if i == 0 {
			name = strings.TrimPrefix(name, "\ufeff")
		}
		name = strings.TrimSpace(name)
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("unknown column %.64q; there may be %s", name, strings.Join(columns, ", "))
		}
		if _, twice := h[name]; twice {
			return nil, fmt.Errorf("column %q: twice", name)
		}
		h[strings.Clone(name)] = i
	}
	for _, name := range []string{"namespace", "predicted", "actual"} {
		if _, ok := h[name]; !ok {
			return nil, fmt.Errorf("no column %q", name)
		}
	}
	_, hasModel := h["model"]
	_, hasVersion := h["version"]
	if _, hasReceipt := h["receipt"]; !hasReceipt && (!hasModel || !hasVersion) {
		return nil, errors.New(`want the columns "model" and "version", or "receipt"`)
	}
	return h, nil
}

// row reads one record.
func (h header) row(record []string, outcomes string) (Row, error) {
	row := Row{
		Namespace: h.cell(record, "namespace"), Model: h.cell(record, "model"), Version: h.cell(record, "version"),
		Receipt: h.cell(record, "receipt"), Weight: 1,
	}
	var err error
	if row.Time, err = cellTime(h.cell(record, "time")); err != nil {
		return Row{}, fmt.Errorf("time: %w", err)
	}
	if err := row.identify(); err != nil {
		return Row{}, err
	}
	if row.Predicted, err = cellOutcome(h.cell(record, "predicted"), outcomes); err != nil {
		return Row{}, fmt.Errorf("predicted: %w", err)
	}
	if row.Actual, err = cellOutcome(h.cell(record, "actual"), outcomes); err != nil {
		return Row{}, fmt.Errorf("actual: %w", err)
	}
	if text := strings.TrimSpace(h.cell(record, "weight")); text != "" {
		if row.Weight, err = decimal(text); err != nil {
			return Row{}, fmt.Errorf("weight: %w", err)
		}
	}
	return row, row.check()
}

func cellOutcome(text, outcomes string) (Outcome, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || trimmed == "NA" || strings.EqualFold(trimmed, "NaN") || strings.EqualFold(trimmed, "null") {
		return Outcome{}, errMissing
	}
	if outcomes != classOutcomes {
		n, err := decimal(trimmed)
		switch {
		case err == nil:
			return number(n)
		case outcomes == onlyNumbers || !errors.Is(err, errNotNumber):
			return Outcome{}, err
		}
	}
	return class(text)
}

// decimal reads a number as people write it: no infinity, no hexadecimal.
func decimal(text string) (float64, error) {
	if strings.Trim(text, "+-.eE0123456789") != "" {
		return 0, errNotNumber
	}
	n, err := strconv.ParseFloat(text, 64)
	if math.IsInf(n, 0) {
		return 0, fmt.Errorf("%.40s is out of range", text)
	}
	if err != nil {
		return 0, errNotNumber
	}
	return n, nil
}

func cellTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, nil
	}
	if seconds, err := decimal(text); err == nil {
		return sinceEpoch(seconds)
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errTime
	}
	return at, nil
}
