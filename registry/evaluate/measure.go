package evaluate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// tally adds up what is needed for every kind of metric: which kind it is, only
// the whole file says.
type tally struct {
	name     string
	rows     int64
	from, to time.Time
	of       []errorsOf // by column of the file
	// what holds for every truth so far
	notNumbers, notBinary bool
}

type errorsOf struct {
	rows                            int64
	absolute, square, logLoss, cut  float64
	different                       int64
	notNumbers, notRatio, fractions bool
}

// smallest keeps the logarithm of a probability finite, as scikit-learn does.
const smallest = 2.220446049250313e-16

func (t *tally) add(f *reader, row []string) error {
	truth := ""
	if !f.losses {
		if truth = strings.TrimSpace(row[f.actual]); truth == "" {
			return fmt.Errorf("column %q is empty", actualColumn)
		}
	}
	y, number := parse(truth)
	t.notNumbers = t.notNumbers || !number
	t.notBinary = t.notBinary || !number || y != 0 && y != 1
	t.rows++
	for i, c := range f.versions {
		said := strings.TrimSpace(row[c.index])
		e := &t.of[i]
		if (said == "") != (e.rows == 0) && t.rows > 1 {
			return fmt.Errorf("column %q is empty in some rows of a data set and not in others: versions are compared on the same rows", c.name)
		}
		if said == "" {
			continue
		}
		p, ok := parse(said)
		switch {
		case !f.losses:
			f.now[i] = e.add(truth, said, y, p, ok && number, ok)
		case !ok:
			return fmt.Errorf("column %q: %.40q is no number", c.name, said)
		default:
			e.rows++
			e.absolute += p
			f.now[i][absolute] = p
		}
	}
	if live := f.live(); live >= 0 {
		f.pair(f.now, live)
	}
	return nil
}

// add counts one prediction, and returns what it lost.
func (e *errorsOf) add(truth, said string, y, p float64, both, number bool) (l losses) {
	e.rows++
	e.notNumbers = e.notNumbers || !number
	e.notRatio = e.notRatio || !number || p < 0 || p > 1
	e.fractions = e.fractions || number && p != 0 && p != 1
	if !both {
		if truth != said {
			e.different++
			l[wrong] = 1
		}
		return l
	}
	if y != p {
		e.different++
		l[wrong] = 1
	}
	l[absolute] = math.Abs(p - y)
	e.absolute += l[absolute]
	e.square += (p - y) * (p - y)
	right := p
	if y == 0 {
		right = 1 - p
	}
	l[logLoss] = -math.Log(min(max(right, smallest), 1-smallest))
	e.logLoss += l[logLoss]
	if (p >= 0.5) != (y == 1) {
		e.cut++
	}
	return l
}

// sum of the losses of a kind.
func (e *errorsOf) sum(kind int) float64 {
	switch kind {
	case logLoss:
		return e.logLoss
	case wrong:
		return float64(e.different)
	}
	return e.absolute
}

func parse(s string) (float64, bool) {
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
}

func (t *tally) span(at time.Time) {
	if t.from.IsZero() || at.Before(t.from) {
		t.from = at
	}
	if at.After(t.to) {
		t.to = at
	}
}

// kind of losses that fits all of the file, with the name of their mean.
func (f *reader) kind() (int, string) {
	numbers, ratios, fractions := true, true, false
	for _, t := range f.sets {
		numbers, ratios = numbers && !t.notNumbers, ratios && !t.notBinary
		for _, e := range t.of {
			numbers, ratios, fractions = numbers && !e.notNumbers, ratios && !e.notRatio, fractions || e.fractions
		}
	}
	switch {
	case f.losses:
		return absolute, "loss"
	case ratios && fractions:
		return logLoss, "log_loss"
	case ratios || !numbers:
		return wrong, "error"
	}
	return absolute, "mae"
}

// measured are the metrics of the kind that fits all of the file.
func (f *reader) measured() []Set {
	kind, name := f.kind()
	var out []Set
	for _, t := range f.sets {
		s := Set{Dataset: t.name, Rows: t.rows, From: t.from, To: t.to}
		for i, e := range t.of {
			if e.rows == 0 {
				continue
			}
			n := float64(e.rows)
			score := Score{Version: f.versions[i].version}
			score.Metrics = []Metric{{name, e.sum(kind) / n}}
			switch {
			case kind == logLoss:
				score.Metrics = append(score.Metrics, Metric{"error", e.cut / n})
			case kind == absolute && !f.losses:
				score.Metrics = append(score.Metrics, Metric{"rmse", math.Sqrt(e.square / n)})
			}
			s.Scores = append(s.Scores, score)
		}
		out = append(out, s)
	}
	return out
}
