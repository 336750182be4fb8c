package protocol

import "math"

// v2Tensor is a tensor while it is read: its shape may come behind its data.
type v2Tensor struct {
	name        []byte
	datatype    datatype
	rows, width int64 // the first dimension, and the product of the others
	rank        int   // dimensions besides the first
	shaped      bool
	data        grid
	has         bool  // data
	from, to    int   // of the body: the data
	binary      int64 // bytes of raw data behind the JSON; −1 without
}

// v2 reads {"inputs": [tensor, …]}, or "outputs", and the raw data behind it.
func (p *Parser) v2(m Message) error {
	if m.Form == FormJSON && p.v2Alike() {
		return nil
	}
	n := len(p.body)
	if m.Form == FormBinary {
		if m.HeaderLength > int64(n) {
			return unparsable("the header's length is %d, the body's %d", m.HeaderLength, n)
		}
		n = int(m.HeaderLength)
	}
	s, key, at := p.scan(n), "inputs", n
	if p.answer {
		key = "outputs"
	}
	err := p.object(&s, func(k []byte) (bool, error) {
		if string(k) != key {
			return false, nil
		}
		return true, s.elements(func() (err error) {
			at, err = p.v2Tensor(&s, at)
			return err
		})
	})
	if err == nil && at != len(p.body) {
		return unparsable("%d bytes of raw data, want %d", len(p.body)-n, at-n)
	}
	if err == nil && m.Form == FormJSON {
		p.envelope().keep(p)
	}
	return err
}

// v2Tensor consumes one tensor. Raw data begin at a byte of the body; it returns where those of the next one do.
func (p *Parser) v2Tensor(s *scanner, at int) (int, error) {
	x := v2Tensor{binary: -1}
	err := s.members(func(k []byte) (err error) {
		switch string(k) {
		case "name":
			if s.peek() != '"' {
				return s.fail("a string")
			}
			x.name, err = s.string()
		case "datatype":
			err = x.readDatatype(s)
		case "shape":
			err = x.readShape(s)
		case "data":
			if x.has {
				return unparsable("tensor %.64q has data twice", x.name)
			}
			x.has, x.from = true, s.i
			x.data, err = s.array()
			x.to = s.i
		case "parameters":
			err = x.readParameters(s)
		default:
			err = s.skip(maxDepth)
		}
		return err
	})
	if err != nil {
		return at, err
	}
	p.last = x
	return p.v2Add(&x, at)
}

// v2Add appends a tensor that was read; raw data are read then.
func (p *Parser) v2Add(x *v2Tensor, at int) (int, error) {
	n := x.rows * x.width
	switch {
	case !x.shaped || x.has == (x.binary >= 0):
		return at, unparsable("tensor %.64q has no shape, no data, or data twice", x.name)
	case x.has && n != int64(x.data.rows*x.data.width):
		return at, unparsable("tensor %.64q has %d values, its shape says %d", x.name, x.data.rows*x.data.width, n)
	case !x.has:
		if x.binary > int64(len(p.body)-at) {
			return at, unparsable("tensor %.64q ends behind the body", x.name)
		}
		x.data.at = len(p.cells)
		if err := p.raw(x.datatype, at, int(x.binary), int(n)); err != nil {
			return at, err
		}
		at += int(x.binary)
	case x.datatype == fp32Type:
		for i, cell := range p.cells[x.data.at:] {
			if v := float32(cell); float64(v) == cell { // written with all digits of the float32
				p.cells[x.data.at+i] = decimal(v)
			}
		}
	}
	return at, p.add(tensor{
		name: x.name, rows: int(x.rows), width: int(x.width), at: x.data.at, stride: int(x.width), rank: x.rank, datatype: x.datatype,
	})
}

func (x *v2Tensor) readDatatype(s *scanner) error {
	if s.peek() != '"' {
		return s.fail("a string")
	}
	name, err := s.string()
	if x.datatype = datatypeOf(name); err == nil && x.datatype == unknownType {
		return unparsable("datatype %.64q", name)
	}
	return err
}

func (x *v2Tensor) readShape(s *scanner) error {
	x.rows, x.width, x.shaped = 1, 1, true
	dimensions := 0
	return s.elements(func() error {
		v, err := s.scalar()
		if err != nil {
			return err
		}
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 || !x.dimension(dimensions, int64(v), len(s.p.body)) {
			return unparsable("tensor %.64q has a bad shape", x.name)
		}
		dimensions++
		return nil
	})
}

// dimension adds a dimension to the shape. More values than the body has bytes are not a shape; this also keeps the
// product in range.
func (x *v2Tensor) dimension(i int, n int64, limit int) bool {
	if n < 0 || n > int64(limit) || x.width*max(n, 1) > int64(limit) {
		return false
	}
	if i == 0 {
		x.rows = n
	} else {
		x.width *= n
	}
	x.rank = i
	return x.rows*x.width <= int64(limit)
}

func (x *v2Tensor) readParameters(s *scanner) error {
	if s.peek() != '{' {
		return s.skip(maxDepth)
	}
	return s.members(func(k []byte) error {
		if string(k) != "binary_data_size" {
			return s.skip(maxDepth)
		}
		v, err := s.scalar()
		if err == nil && (v != math.Trunc(v) || v < 0 || v > float64(len(s.p.body))) {
			return unparsable("tensor %.64q has a bad binary_data_size", x.name)
		}
		x.binary = int64(v)
		return err
	})
}
