package main

import (
	"strings"
	"testing"
)

func TestGoals(t *testing.T) {
	var g goals
	g.most("a", 1.14, 1.15, "%.2f", "")
	g.most("b", 1.14, 1.15, "%.2f", "3 % not read")
	g.least("c", 9, 10, "%.0f ×", "")
	var b strings.Builder
	g.print(&b)
	want := `
## Goals

| what | goal | measured | at the goal |
| --- | --- | --- | --- |
| a | ≤ 1.15 | 1.14 | yes |
| b | ≤ 1.15 | 1.14, 3 % not read | no |
| c | ≥ 10 × | 9 × | no |
`
	if b.String() != want {
		t.Errorf("got %s", b.String())
	}
}

func TestSpread(t *testing.T) {
	for want, v := range map[string]values{"–": nil, "2 (1–9)": {9, 1, 2}} {
		if got := v.spread("%.0f", 1); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

// Every task of the worker reads what it is given.
func TestTasks(t *testing.T) {
	for _, kind := range append(parsingKinds(), taskRow) {
		step, stop, err := prepare(kind, 2)
		if err != nil {
			t.Fatal(kind, err)
		}
		for i := range 3 {
			if err := step(i); err != nil {
				t.Error(kind, err)
			}
		}
		stop()
	}
}
