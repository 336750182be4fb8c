package profile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxWindows of a profile or a column.
const maxWindows = 16

// windowLength reads the name of a window: whole hours or days, "24h" or "7d".
func windowLength(name string) (time.Duration, error) {
	number, unit := strings.TrimRight(name, "hd"), time.Hour
	if strings.HasSuffix(name, "d") {
		unit *= 24
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 || len(name) != len(number)+1 || number[0] == '0' {
		return 0, fmt.Errorf("%q is not a window: write hours or days, as 24h or 7d", clip(name))
	}
	return time.Duration(n) * unit, nil
}

func checkBlocks(list []BlockDistances) error {
	if len(list) > maxWindows {
		return fmt.Errorf("blocks: %d windows, at most %d", len(list), maxWindows)
	}
	var before time.Duration
	for i, b := range list {
		length, err := windowLength(b.Window)
		if err == nil {
			err = b.Distance.check()
		}
		switch {
		case err != nil:
		case length <= before:
			err = fmt.Errorf("%q after a longer one, want the shortest first", b.Window)
		case b.Periods < 1 || b.Periods > b.Blocks || b.Blocks > MaxRows:
			err = fmt.Errorf("%d periods of %d blocks, want at least 1, and no more than blocks", b.Periods, b.Blocks)
		case b.Rows < 0 || b.Rows > MaxRows:
			err = fmt.Errorf("rows: %d is not between 0 and %d", b.Rows, int64(MaxRows))
		case !(b.Factor >= 1 && b.Factor <= 1/MinColumnTolerance):
			err = fmt.Errorf("factor: %v is not between 1 and %v", b.Factor, 1/MinColumnTolerance)
		}
		if err != nil {
			return fmt.Errorf("blocks[%d]: %w", i, err)
		}
		before = length
	}
	return nil
}

func (q Quantiles) check() error {
	if !(0 <= q.P50 && q.P50 <= q.P90 && q.P90 <= q.P95 && q.P95 <= 1) {
		return fmt.Errorf("p50, p90, p95: %v, %v, %v, want them ascending from 0 to 1", q.P50, q.P90, q.P95)
	}
	return nil
}

func checkColumnBlocks(windows map[string]Quantiles) error {
	if len(windows) > maxWindows {
		return fmt.Errorf("blocks: %d windows, at most %d", len(windows), maxWindows)
	}
	for window, q := range windows {
		_, err := windowLength(window)
		if err == nil {
			err = q.check()
		}
		if err != nil {
			return fmt.Errorf("blocks: %q: %w", clip(window), err)
		}
	}
	return nil
}

func checkClustering(windows map[string]float64) error {
	if len(windows) > maxWindows {
		return fmt.Errorf("clustering: %d windows, at most %d", len(windows), maxWindows)
	}
	for window, phi := range windows {
		if _, err := windowLength(window); err != nil {
			return fmt.Errorf("clustering: %w", err)
		}
		if !(phi >= 1 && phi <= math.MaxFloat64) {
			return fmt.Errorf("clustering: %q: %v, want a number of at least 1", window, phi)
		}
	}
	return nil
}

// checkErrors compares with the rows of the column: a category that was seen once
// is counted as unseen, but its error where it belongs.
func checkErrors(bins []Bin) error {
	var rows int64
	for _, b := range bins {
		rows += b.Count
	}
	for i, b := range bins {
		if v := b.Excess; v != nil && !(*v >= -1 && *v <= 1) {
			return fmt.Errorf("bins[%d].excess: %v is not between -1 and 1", i, *v)
		}
		if b.Error == nil {
			continue
		}
		if err := b.Error.check(rows); err != nil {
			return fmt.Errorf("bins[%d].error: %w", i, err)
		}
	}
	return nil
}

func (e *BinError) check(rows int64) error {
	number := func(v *float64) bool { return v != nil && *v >= 0 && *v <= math.MaxFloat64 }
	switch {
	case e.Rows < 1 || e.Rows > rows:
		return fmt.Errorf("rows: %d is not between 1 and the column's, %d", e.Rows, rows)
	case e.Rate != nil && (e.MAE != nil || e.RMSE != nil):
		return errors.New("rate: beside mae or rmse; a column is a classification or a regression")
	case e.Rate != nil && !(*e.Rate >= 0 && *e.Rate <= 1):
		return fmt.Errorf("rate: %v is not between 0 and 1", *e.Rate)
	case e.Rate == nil && !(number(e.MAE) && number(e.RMSE)):
		return errors.New("want a rate, or mae and rmse, of at least 0")
	}
	return nil
}
