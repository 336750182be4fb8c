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
	kinds := []string{taskBins, taskSketches, taskObserver, taskBinary}
	sizes := []int{3, 27, 268}
	ns := map[string]values{}
	for i := range b.rounds {
		b.progress("parsing, round %d of %d", i+1, b.rounds)
		for _, kind := range kinds {
			for _, rows := range sizes {
				task := fmt.Sprintf("%s/%d", kind, rows)
				perS, err := w.do(task, b.seconds())
				if err != nil {
					return err
				}
				ns[task] = append(ns[task], 1e9/perS)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	header(b.out, "### Processor time of a cell, ns: V2 JSON, numbers of three to six digits", "cells of a body", "parsed into bins",
		"and into sketches", "with following, copying and the answer", "the same in binary form")
	for _, rows := range sizes {
		cells := []string{fmt.Sprint(rows * columns)}
		for _, kind := range kinds {
			cells = append(cells, ns[fmt.Sprintf("%s/%d", kind, rows)].spread("%.1f", 1))
		}
		row(b.out, cells...)
	}
	for i, limit := range []float64{15, 30} {
		for _, rows := range sizes {
			what := fmt.Sprintf("a cell of V2 JSON into %s, body of %d", kinds[i], rows*columns)
			b.goals.most(what, ns[fmt.Sprintf("%s/%d", kinds[i], rows)].median(), limit, "%.1f ns", "")
		}
	}
	return nil
}
