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
	rank        int  // dimensions of a row
	datatype    datatype
	encoded     bool    // some value is encoded bytes
	opaque      bool    // its values are bytes, encoded or not
	column      int     // the first column of its values; −1 unknown
	sum         *target // where its values are summed up instead
}

// add appends a tensor; each format has to be stopped by the error.
func (p *Parser) add(x tensor) error {
	if len(p.tensors) == maxTensors {
		return unparsable("more than %d tensors", maxTensors)
	}
	x.encoded = p.encoded > 0
	x.opaque = x.encoded || x.datatype == bytesType
	p.encoded = 0
	p.tensors = append(p.tensors, x)
	return nil
}

// addGrid appends a tensor for an array that was read.
func (p *Parser) addGrid(name []byte, g grid) error {
	return p.add(tensor{name: name, rows: g.rows, width: g.width, at: g.at, stride: g.width, rank: g.rank})
}

// column is where the values of a name go; −1 unknown.
func (p *Parser) column(name []byte, t Table) int {
	if column := t.Lookup(name); column < p.width {
		return column
	}
	return -1
}

// bind gives each tensor its columns and returns the number of rows. Tensors are columns by name, or summed up in those
// of their name; a single one that is neither holds all columns in order.
func (p *Parser) bind(t Table) (int, error) {
	p.seen = append(p.seen[:0], make([]bool, p.width)...)
	n, known := p.tensors[0].rows, 0
	if int64(n)*int64(t.Width()) > MaxValues {
		return 0, unparsable("more than %d values", MaxValues)
	}
	single := len(p.tensors) == 1 && !p.tensors[0].frame
	for i := range p.tensors {
		x := &p.tensors[i]
		if x.rows != n {
			return 0, unparsable("tensors of %d and %d rows", n, x.rows)
		}
		if x.column = p.column(x.name, t); x.column >= 0 && single && x.width != 1 && x.width == p.width {
			break
		}
		bound, err := p.bindName(x, t)
		if err != nil {
			return 0, err
		}
		if bound {
			known++
		}
	}
	if known > 0 || !single && !p.answer {
		return n, nil
	}
	if p.learn != nil && !p.tensors[0].records {
		return n, p.bindNew(single, t)
	}
	return n, p.bindRows(single, t)
}

// bindName binds a tensor to what its name says, if that is anything.
func (p *Parser) bindName(x *tensor, t Table) (bool, error) {
	switch {
	case x.column < 0:
		return p.bindSummary(x, x.name, t)
	case x.width != 1:
		return false, unparsable("column %.64q has %d values a row", x.name, x.width)
	case p.seen[x.column]:
		return false, unparsable("column %.64q twice", x.name)
	}
	p.seen[x.column] = true
	return true, nil
}

// bindRows binds a single tensor whose name says nothing: to the only value that is summed up, or to all columns.
func (p *Parser) bindRows(single bool, t Table) error {
	if single {
		if bound, err := p.bindOnly(&p.tensors[0], t); bound || err != nil {
			return err
		}
	}
	if !single || p.tensors[0].width != p.width {
		return unparsable("no tensor is a column, nor a table of %d columns", p.width)
	}
	p.tensors[0].column = 0
	for i := range p.seen {
		p.seen[i] = true
	}
	return nil
}

// bindNew is for a body none of whose tensors is a column of a Learner, yet. One value a row of an answer is that of the
// only output, whatever its name, as it is where the outputs are known. So many values that they can't be features are a
// vector, even without a name.
func (p *Parser) bindNew(single bool, t Table) error {
	x := &p.tensors[0]
	switch {
	case !single: // the names are learned
		return nil
	case x.column >= 0: // as wide as the table
		return ErrUnnamed
	case x.width > p.maxFeatures():
		if len(x.name) > 0 {
			return nil
		}
		x.name = []byte(Vector)
		if p.answer {
			x.name = []byte(Prediction)
		}
		_, err := p.bindSummary(x, x.name, t)
		return err
	case x.width != 1 || len(x.name) == 0 && !p.answer:
		return ErrUnnamed
	case p.answer && p.width == 1:
		x.column, p.seen[0] = 0, true
	case len(x.name) == 0 && p.width > 1:
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
		switch x := &p.tensors[i]; {
		case x.sum != nil:
			p.tellSummary(x, n, t)
		case x.column < 0:
			t.Unknown(n)
			if p.learn != nil {
				p.learnTensor(x, n)
			}
		case !p.gather(t, x, n):
			p.tellTensor(t, x, n)
		}
	}
	p.tellAbsent(t, n)
	if p.derived.Classes != nil {
		p.tellHighest(n, t)
	}
	if p.unknown > 0 {
		t.Unknown(p.unknown)
	}
	for fold, values := range p.folded {
		if values > 0 {
			t.Folded(Fold(fold), values)
		}
	}
	t.Rows(n)
}

func (p *Parser) tellTensor(t Table, x *tensor, n int) {
	for j := range x.width {
		for row := 0; row < n; row += tellEvery {
			p.tellColumn(t, x, j, row, min(n, row+tellEvery))
			p.breathe((min(n, row+tellEvery) - row) * pauseEvery / tellEvery)
		}
	}
}

// tellAbsent tells that columns that no tensor is bound to are missing.
func (p *Parser) tellAbsent(t Table, n int) {
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
}

// tellColumn tells the j-th column of a tensor, from a row up to another.
func (p *Parser) tellColumn(t Table, x *tensor, j, from, to int) {
	cells := p.cells[x.at+j+from*x.stride : x.at+j+(to-1)*x.stride+1]
	if x.datatype != boolType {
		if values, plain := p.contiguous(cells, x.stride); plain {
			t.Numbers(x.column+j, values, 1)
			return
		}
	}
	for i := 0; i < len(cells); i += x.stride {
		v := p.value(cells[i])
		if x.datatype == boolType && v.Type == Number {
			v = p.value(boolean(v.Number != 0))
		}
		t.Value(x.column+j, v)
	}
}

// contiguous is the first of cells, and every stride-th behind it, side by side: a column is looked at several times, and
// the cells of a row are cache lines apart. plain: all are numbers or missing.
func (p *Parser) contiguous(cells []float64, stride int) (values []float64, plain bool) {
	n := (len(cells) + stride - 1) / stride
	if cap(p.values) < n {
		p.values = make([]float64, tellEvery)
	}
	values = p.values[:n]
	var texts uint64
	for i := range values {
		v := cells[i*stride]
		values[i] = v
		if v != v && boxed(v) {
			texts = 1
		}
	}
	return values, texts == 0
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
