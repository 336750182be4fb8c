package protocol

// Gatherer is a Table that takes the rows of small bodies as they are, to tell its columns of those of many at once.
type Gatherer interface {
	Table
	// Gather takes rows of numbers, of all columns in order, one behind the other; NaN is a missing one. false: it does not.
	Gather(values []float64) bool
}

// A value of many in a column takes half the time of one of a few, so few are gathered.
const (
	gatherRows   = 16   // a body of more is told at once
	gatherCells  = 1280 // at least, until they are told
	gatherColumn = 64   // a table of more columns is not gathered: telling takes too long
)

// Gathered are rows that wait to be told.
type Gathered struct{ values []float64 }

// Add appends rows of so many columns, and reports whether it did. full: it is time to tell.
func (g *Gathered) Add(values []float64, width int) (ok, full bool) {
	if width > gatherColumn {
		return false, false
	}
	g.values = append(g.values, values...)
	return true, len(g.values) >= max(gatherCells, gatherRows*width)
}

// Tell calls numbers for each column, as it does a Table's, and says how many rows there were. They are gone then,
// whatever happens.
func (g *Gathered) Tell(width int, numbers func(column int, values []float64, stride int)) (rows int) {
	values := g.values
	if g.values = g.values[:0]; len(values) == 0 {
		return 0
	}
	for column := range width {
		numbers(column, values[column:], width)
	}
	return len(values) / width
}

// gather hands a tensor that is whole rows of numbers to a table that gathers them.
func (p *Parser) gather(t Table, x *tensor, n int) bool {
	if n > gatherRows || n == 0 || len(p.tensors) > 1 || x.column != 0 || x.width != t.Width() || x.datatype == boolType {
		return false
	}
	g, ok := t.(Gatherer)
	cells := p.cells[x.at : x.at+n*x.width]
	return ok && (p.unboxed || plain(cells, 1)) && g.Gather(cells)
}
