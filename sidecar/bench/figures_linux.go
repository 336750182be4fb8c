package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// values are those of the rounds.
type values []float64

func (v values) median() float64 {
	if len(v) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(v))[len(v)/2]
}

// spread is the median with the least and the most, each divided by a unit.
func (v values) spread(format string, unit float64) string {
	if len(v) == 0 {
		return "–"
	}
	return fmt.Sprintf(format+" ("+format+"–"+format+")", v.median()/unit, slices.Min(v)/unit, slices.Max(v)/unit)
}

func (v values) sum() (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}

// over divides by another list, round by round.
func (v values) over(w values) (ratios values) {
	for i := range min(len(v), len(w)) {
		ratios = append(ratios, v[i]/w[i])
	}
	return ratios
}

// series are one target's figures of every round.
type series []measured

func (s series) of(f func(measured) float64) (v values) {
	for _, m := range s {
		v = append(v, f(m))
	}
	return v
}

func p50(m measured) float64     { return m.p50 }
func p99(m measured) float64     { return m.p99 }
func perS(m measured) float64    { return m.perS }
func used(m measured) float64    { return m.cpu }
func seen(m measured) float64    { return m.seen }
func dropped(m measured) float64 { return m.dropped }

// usedText is the processor time of a request; nothing, where nothing is in between.
func (s series) usedText() string {
	if s.of(used).sum() == 0 {
		return "–"
	}
	return s.of(used).spread("%.1f", 1)
}

// unread is the share of requests that were dropped, in text; empty where there were none.
func (s series) unread() string {
	if d := s.of(dropped).sum(); d > 0 {
		return fmt.Sprintf("%.0f %% not read", 100*d/(d+s.of(seen).sum()))
	}
	return ""
}

// row writes a row of a markdown table.
func row(w io.Writer, cells ...string) { fmt.Fprintln(w, "| "+strings.Join(cells, " | ")+" |") }

// header writes a caption and the head of a table below it.
func header(w io.Writer, caption string, cells ...string) {
	fmt.Fprintf(w, "\n%s\n\n", caption)
	row(w, cells...)
	row(w, slices.Repeat([]string{"---"}, len(cells))...)
}

func number(format string, v float64) string { return fmt.Sprintf(format, v) }
