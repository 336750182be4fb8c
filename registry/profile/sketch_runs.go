package profile

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"
)

// sketchRun is a value and the number of values that it stands for.
type sketchRun struct {
	value float64
	count int64
}

// sketchRuns lists the values that a sketch has kept, each with the number of
// values that it stands for, ascending. The first and the last are the least
// and the greatest of all values, which a sketch remembers even where it did
// not keep them.
func sketchRuns(b []byte) (Runs, error) {
	n, err := checkSketch(b)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, errors.New("no values")
	}
	if n == 1 && b[3]&flagSingle != 0 {
		v := floats(b[sketchHead:])[0]
		return Runs{{decimal(v), 0, 1}}, nil
	}
	levels := int(b[18])
	data := floats(b[sketchFull+4*levels:])
	lowest, highest, items := data[0], data[1], data[2:]
	starts := make([]int, levels+1)
	for i := range levels {
		starts[i] = int(binary.LittleEndian.Uint32(b[sketchFull+4*i:]))
	}
	starts[levels] = int(capacity(levels))
	counts := map[float32]int64{}
	for i := range levels {
		for _, v := range items[starts[i]-starts[0] : starts[i+1]-starts[0]] {
			counts[v+0] += 1 << i // -0 is 0
		}
	}
	list := make([]sketchRun, 0, len(counts)+2)
	for v, count := range counts {
		list = append(list, sketchRun{float64(v), count})
	}
	slices.SortFunc(list, func(a, b sketchRun) int { return cmp.Compare(a.value, b.value) })
	var runs Runs
	var below int64
	for _, r := range written(withEnds(list, float64(lowest)+0, float64(highest)+0)) {
		runs = append(runs, Run{r.value, below, r.count})
		below += r.count
	}
	return runs, nil
}

// withEnds makes the least and the greatest value the ends of a list. Each is
// one of the values that the nearest kept one stands for.
func withEnds(list []sketchRun, lowest, highest float64) []sketchRun {
	if first := &list[0]; first.value > lowest {
		if first.count == 1 {
			first.value = lowest
		} else {
			first.count--
			list = slices.Insert(list, 0, sketchRun{lowest, 1})
		}
	}
	if last := &list[len(list)-1]; last.value < highest {
		if last.count == 1 && len(list) > 1 {
			last.value = highest
		} else if last.count > 1 {
			last.count--
			list = append(list, sketchRun{highest, 1})
		}
	}
	return list
}

// written turns the float32 of a sketch into the numbers that it most likely
// was given. Where six digits don't say that for certain, the ends reach as far
// as values do that are rounded to them: what has been seen is not below the
// least.
func written(list []sketchRun) []sketchRun {
	end := len(list) - 1
	lowest, highest := float32(list[0].value), float32(list[end].value)
	for i := range list {
		list[i].value = decimal(float32(list[i].value))
	}
	if !short(lowest) {
		list[0].value = min(list[0].value, halfway(lowest, math.Inf(-1)))
	}
	if !short(highest) {
		list[end].value = max(list[end].value, halfway(highest, math.Inf(1)))
	}
	return list
}

// decimal is the number of the fewest digits that is rounded to v.
func decimal(v float32) float64 {
	d, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	return d + 0 // -0 is 0
}

// short reports whether six digits are enough to write v.
func short(v float32) bool {
	d, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', 6, 64), 32)
	return float32(d) == v
}

// halfway is between v and its next float32 in a direction.
func halfway(v float32, toward float64) float64 {
	next := math.Nextafter32(v, float32(toward))
	if math.IsInf(float64(next), 0) {
		return float64(v)
	}
	return float64(v)/2 + float64(next)/2
}
