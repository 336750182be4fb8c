package protocol

// maxTensors is how many tensors, or columns of a frame, a body may have.
const maxTensors = 4096

// tensor is one input or output, a column of a frame, or a table of rows: values of rows in cells.
type tensor struct {
	name []byte
	// frame: a column of a data frame, whose name says which one it is. Other tensors are named as the server likes, and a
	// single one may hold all columns in order.
	frame       bool
	records     bool // rows as objects: the table's columns already
	rows, width int  // width: values of a row
	at, stride  int  // of the first cell; from a row's cells to the next row's
	datatype    datatype
	column      int // the first column of its values; −1 unknown
}

// add appends a tensor; each format has to be stopped by the error.
func (p *Parser) add(x tensor) error {
	if len(p.tensors) == maxTensors {
		return unparsable("more than %d tensors", maxTensors)
	}
	p.tensors = append(p.tensors, x)
	return nil
}

// addGrid appends a tensor for an array that was read.
func (p *Parser) addGrid(name []byte, g grid) error {
	return p.add(tensor{name: name, rows: g.rows, width: g.width, at: g.at, stride: g.width})
}

// bind gives each tensor its columns and returns the number of rows. Tensors are columns by name; a single one that is
// no column itself holds all of them in order.
func (p *Parser) bind(t Table) (int, error) {
	width := t.Width()
	p.seen = append(p.seen[:0], make([]bool, width)...)
	n, known := p.tensors[0].rows, 0
	if int64(n)*int64(width) > maxCells {
		return 0, unparsable("more than %d values", maxCells)
	}
	single := len(p.tensors) == 1 && !p.tensors[0].frame
	for i := range p.tensors {
		x := &p.tensors[i]
		if x.rows != n {
			return 0, unparsable("tensors of %d and %d rows", n, x.rows)
		}
		if x.column = t.Lookup(x.name); x.column < 0 {
			continue
		}
		if x.width != 1 {
			if single && x.width == width {
				break
			}
			return 0, unparsable("column %.64q has %d values a row", x.name, x.width)
		}
		if known++; p.seen[x.column] {
			return 0, unparsable("column %.64q twice", x.name)
		}
		p.seen[x.column] = true
	}
	if known > 0 || !single && !p.answer {
		return n, nil
	}
	if p.learn != nil && !p.tensors[0].records {
		return n, p.bindNew(single, width)
	}
	if !single || p.tensors[0].width != width {
		return 0, unparsable("no tensor is a column, nor a table of %d columns", width)
	}
	p.tensors[0].column = 0
	for i := range p.seen {
		p.seen[i] = true
	}
	return n, nil
}

// bindNew is for a body none of whose tensors is a column of a Learner, yet. One value a row of an answer is that of the
// only output, whatever its name, as it is where the outputs are known.
func (p *Parser) bindNew(single bool, width int) error {
	x := &p.tensors[0]
	switch {
	case !single: // the names are learned
		return nil
	case x.width != 1 || len(x.name) == 0 && !p.answer:
		return ErrUnnamed
	case p.answer && width == 1:
		x.column, p.seen[0] = 0, true
	case len(x.name) == 0 && width > 1:
		return ErrUnnamed
	case len(x.name) == 0:
		x.name = []byte(Prediction)
	}
	return nil
}

// tellEvery is how many values are told before the caller may breathe: they cost about what 8 KiB of a body do.
const tellEvery = 1024

// tell tells every value.
func (p *Parser) tell(n int, t Table) {
	for i := range p.tensors {
		x := &p.tensors[i]
		if x.column < 0 {
			t.Unknown(n)
			if p.learn != nil && x.width == 1 && n > 0 && len(x.name) > 0 {
				p.learn.Learn(x.name)
			}
			continue
		}
		for j := range x.width {
			for row := 0; row < n; row += tellEvery {
				p.tellColumn(t, x, j, row, min(n, row+tellEvery))
				p.breathe((min(n, row+tellEvery) - row) * pauseEvery / tellEvery)
			}
		}
	}
	for column, has := range p.seen {
		if has {
			continue
		}
		for row := range n {
			t.Value(column, Value{})
			if row%tellEvery == 0 {
				p.breathe(pauseEvery)
			}
		}
	}
	if p.unknown > 0 {
		t.Unknown(p.unknown)
	}
	t.Rows(n)
}

// tellColumn tells the j-th column of a tensor, from a row up to another.
func (p *Parser) tellColumn(t Table, x *tensor, j, from, to int) {
	cells := p.cells[x.at+j+from*x.stride : x.at+j+(to-1)*x.stride+1]
	if x.datatype != boolType && plain(cells, x.stride) {
		t.Numbers(x.column+j, cells, x.stride)
		return
	}
	for i := 0; i < len(cells); i += x.stride {
		v := p.value(cells[i])
		if x.datatype == boolType && v.Type == Number {
			v = p.value(boolean(v.Number != 0))
		}
		t.Value(x.column+j, v)
	}
}

// plain reports whether all are numbers or missing.
func plain(cells []float64, stride int) bool {
	for i := 0; i < len(cells); i += stride {
		if cells[i] != cells[i] && boxed(cells[i]) {
			return false
		}
	}
	return true
}
