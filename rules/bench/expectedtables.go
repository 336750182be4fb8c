package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// expectedTables add up how far estimates are from the truth.
type expectedTables struct{ all []deviation }

// deviation of both estimates in a window.
type deviation struct {
	expectedCell
	repeat       int
	ours, theirs float64 // absolute
}

// expectedCell is what a window is of.
type expectedCell struct {
	group, classifier, shift string
	calibrated               bool
	rows                     int
}

func (t *expectedTables) add(repeat int, c expectedCase) {
	for _, w := range c.Windows {
		cell := expectedCell{c.Group, c.Classifier, w.Shift, c.Calibrated, w.Rows}
		t.all = append(t.all, deviation{cell, repeat, math.Abs(w.ours - w.True), math.Abs(w.CBPE - w.True)})
	}
}

// beyond what a classifier knows: there its scores mean something else.
func (c expectedCell) beyond() bool { return c.shift == "new region" || c.shift == "later" }

// compared are mean deviations, and their difference with its standard error,
// that of the mean of the repeats.
type compared struct {
	ours, theirs, difference, stderr float64
	windows                          int
}

func (t *expectedTables) compare(of func(expectedCell) bool) compared {
	var c compared
	sums, counts := map[int]float64{}, map[int]float64{}
	for _, d := range t.all {
		if of(d.expectedCell) {
			c.ours, c.theirs, c.windows = c.ours+d.ours, c.theirs+d.theirs, c.windows+1
			sums[d.repeat] += d.ours - d.theirs
			counts[d.repeat]++
		}
	}
	n := float64(c.windows)
	c.ours, c.theirs = c.ours/n, c.theirs/n
	c.difference = c.ours - c.theirs
	squares, repeats := 0.0, float64(len(sums))
	for repeat, sum := range sums {
		x := sum/counts[repeat] - c.difference
		squares += x * x
	}
	c.stderr = math.Sqrt(squares / max(repeats-1, 1) / max(repeats, 1))
	return c
}

// String has thousandths, which are tenths of a point.
func (c compared) String() string {
	if c.windows == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f / %.1f (%+.1f ± %.1f)", 1e3*c.ours, 1e3*c.theirs, 1e3*c.difference, 1e3*c.stderr)
}

// values of a cell, in the order in which they came.
func (t *expectedTables) values(of func(expectedCell) string) []string {
	var list []string
	for _, d := range t.all {
		if v := of(d.expectedCell); !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

func (t *expectedTables) print(b *bench) {
	fmt.Printf("\n### Expected error: mean deviation from the true one in thousandths, Leeway / NannyML's CBPE (difference ± its standard error; %d windows)\n", len(t.all))
	classifiers := t.values(func(c expectedCell) string { return c.classifier })
	fmt.Printf("\nBy classifier, where inputs move within what it knows:\n\n| classifier | calibrated | %s |\n| --- | --- |%s\n", strings.Join(expectedGroups, " | "), strings.Repeat(" --- |", len(expectedGroups)))
	// By whether it is calibrated: cells, and those within the goal.
	cells, within := map[bool]int{}, map[bool]int{}
	for _, name := range classifiers {
		known := t.all[slices.IndexFunc(t.all, func(d deviation) bool { return d.classifier == name })].calibrated
		fmt.Printf("| %s | %s |", name, map[bool]string{true: "yes", false: "no"}[known])
		for _, group := range expectedGroups {
			c := t.compare(func(c expectedCell) bool { return c.group == group && c.classifier == name && !c.beyond() })
			fmt.Printf(" %s |", c)
			if c.windows > 0 {
				cells[known]++
				if known && c.difference <= 0.005 || !known && c.difference < 0 {
					within[known]++
				}
			}
		}
		fmt.Println()
	}
	t.printBy("data", func(c expectedCell) string { return c.group + ", " + c.shift })
	t.printBy("rows of a window", func(c expectedCell) string { return fmt.Sprint(c.rows) })
	for _, calibrated := range []bool{true, false} {
		all := t.compare(func(c expectedCell) bool { return c.calibrated == calibrated && !c.beyond() })
		bar, reached := "expected error, calibrated scores: at most 0.005 farther off than CBPE, in each cell", within[true] == cells[true]
		if !calibrated {
			bar, reached = "the same, scores that are not: nearer than CBPE in the mean", all.difference < 0
		}
		b.aim(reached, bar, "%d of %d cells; in the mean %.4f against %.4f", within[calibrated], cells[calibrated], all.ours, all.theirs)
	}
}

// printBy prints a row for each value of a cell.
func (t *expectedTables) printBy(what string, of func(expectedCell) string) {
	fmt.Printf("\n| %s | calibrated | not calibrated |\n| --- | --- | --- |\n", what)
	for _, value := range t.values(of) {
		fmt.Printf("| %s |", value)
		for _, calibrated := range []bool{true, false} {
			fmt.Printf(" %s |", t.compare(func(c expectedCell) bool { return of(c) == value && c.calibrated == calibrated }))
		}
		fmt.Println()
	}
}
