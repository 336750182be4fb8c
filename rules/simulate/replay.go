package simulate

import "time"

// Rows are those of one column as they were recorded, in order of time.
type Rows struct {
	At  []time.Duration // since the version was there
	Bin []uint8         // of the version's training data
}

// Span is the time of an alarm.
type Span struct{ From, To time.Duration }

// Passage is what a rung did while recorded rows passed through it.
type Passage struct {
	Alarms []Span
	// Unknown is the share of evaluations with a whole window behind them that had
	// too few effective rows.
	Unknown float64
	// Clustering at the end.
	Clustering float64
}

// Replay lets recorded rows pass through the rule of one window, for a version
// of so many columns that begins with no past at all.
func Replay(rung Clocked, c *Column, columns int, rows Rows, length time.Duration) Passage {
	s := newStream(rung, c, columns)
	var out Passage
	counts := make([]float64, s.bins)
	next, run, seen, unknown := 0, 0, 0, 0
	for at := rung.Step; at <= length; at += rung.Step {
		for ; next < len(rows.At) && rows.At[next] < at; next++ {
			counts[rows.Bin[next]]++
		}
		s.add(counts)
		fires := s.fires(at)
		if at >= rung.Window {
			seen++
			if s.effective < rung.MinRows {
				unknown++
			}
		}
		if !fires {
			run = 0
			continue
		}
		if run++; run == s.Hold+1 {
			out.Alarms = append(out.Alarms, Span{From: at})
		}
		if run > s.Hold {
			out.Alarms[len(out.Alarms)-1].To = at
		}
	}
	out.Unknown, out.Clustering = float64(unknown)/float64(max(seen, 1)), s.clustering.all
	return out
}
