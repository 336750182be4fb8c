package main

import (
	"context"
	"fmt"
)

// parsing measures what a cell of V2 JSON costs, by the size of the body.
func (b *bench) parsing(ctx context.Context) error {
	var undo stops
	defer undo.all()
	w, err := ours(&undo)
	if err != nil {
		return err
	}
	ns := map[string]values{}
	err = b.inTurn(ctx, "parsing", func() error {
		for _, kind := range parsingKinds() {
			for _, rows := range parsingRows() {
				task := fmt.Sprintf("%s/%d", kind, rows)
				perS, err := w.do(task, b.seconds())
				if err != nil {
					return err
				}
				ns[task] = append(ns[task], 1e9/perS)
			}
		}
		return nil
	})
	b.printParsing(ns)
	return err
}

func parsingKinds() []string { return []string{taskBins, taskSketches, taskObserver, taskBinary} }
func parsingRows() []int     { return []int{3, 27, 268} }

// printParsing is given lists by task.
func (b *bench) printParsing(ns map[string]values) {
	header(b.out, "### Processor time of a cell, ns: V2 JSON, numbers of three to six digits", "cells of a body", "parsed into bins",
		"and into sketches", "with following, copying and the answer", "the same in binary form")
	for _, rows := range parsingRows() {
		cells := []string{fmt.Sprint(rows * columns)}
		for _, kind := range parsingKinds() {
			cells = append(cells, ns[fmt.Sprintf("%s/%d", kind, rows)].spread("%.1f", 1))
		}
		row(b.out, cells...)
	}
	for i, limit := range []float64{15, 30} {
		kind := parsingKinds()[i]
		for _, rows := range parsingRows() {
			if v := ns[fmt.Sprintf("%s/%d", kind, rows)]; len(v) > 0 {
				b.goals.most(fmt.Sprintf("a cell of V2 JSON into %s, body of %d", kind, rows*columns), v.median(), limit, "%.1f ns", "")
			}
		}
	}
}
