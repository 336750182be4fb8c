package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/leeway-dev/leeway/registry/profile"
)

// columns of a request and of the profile, where nothing else is said.
const columns = 20

// table is rows of random numbers, row by row.
type table struct {
	columns int
	cells   []float64
}

// random makes a table of numbers with three to six digits.
func random(rows, columns int, seed uint64) table {
	r := rand.New(rand.NewPCG(seed, uint64(rows)))
	t := table{columns, make([]float64, rows*columns)}
	for i := range t.cells {
		t.cells[i] = float64(100+r.IntN(900)) + float64(r.IntN(1000)*(i%2))/1000
	}
	return t
}

func (t table) rows() int { return len(t.cells) / t.columns }

// json is the body of a V2 inference request.
func (t table) json() []byte {
	b := fmt.Appendf(nil, `{"inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP64","data":[`, t.rows(), t.columns)
	for i, v := range t.cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	return append(b, `]}]}`...)
}

// raw is the cells as servers take them in binary form.
func (t table) raw() []byte {
	b := make([]byte, 0, 8*len(t.cells))
	for _, v := range t.cells {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// infer is a ModelInferRequest with raw contents.
func (t table) infer() []byte {
	return modelMessage("x", []int{t.rows(), t.columns}, 7, t.raw())
}

// modelMessage is a ModelInferRequest or ModelInferResponse with one tensor of FP64, whose raw contents are in a field.
func modelMessage(name string, shape []int, field protowire.Number, raw []byte) []byte {
	var dimensions []byte
	for _, n := range shape {
		dimensions = protowire.AppendVarint(dimensions, uint64(n))
	}
	add := func(m []byte, field protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), value)
	}
	tensor := add(add(add(nil, 1, []byte(name)), 2, []byte("FP64")), 3, dimensions)
	return add(add(add(nil, 1, []byte("m")), 5, tensor), field, raw)
}

// trained is a profile of such rows, encoded.
func trained(columns int) ([]byte, error) {
	const rows = 1000
	t := random(rows, columns, 0)
	var features []profile.Column
	for k := range columns + 1 {
		var values []float64
		for row := range rows {
			if k < columns {
				values = append(values, t.cells[row*columns+k])
			} else {
				values = append(values, float64(row%50))
			}
		}
		slices.Sort(values)
		name := fmt.Sprintf("f%d", k)
		if k == columns {
			name = "y"
		}
		c, err := profile.NumberColumn(name, 0, profile.RunsOf(values), k == columns)
		if err != nil {
			return nil, err
		}
		features = append(features, c)
	}
	p, err := profile.New(rows, features[:columns], features[columns:])
	if err != nil {
		return nil, err
	}
	return p.Encode()
}
