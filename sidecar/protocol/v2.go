package protocol

// maxTensors is how many tensors a body may have.
const maxTensors = 4096

// tensor is one input or output.
type tensor struct {
	name    []byte
	rows    int64 // the first dimension
	width   int64 // the product of the others
	shaped  bool
	data    int // where the data begin; −1 without
	leaves  int64
	binary  bool
	columns int // the first column of its values: −1 unknown
}

// infer reads {"<key>": [tensor, …]}.
func (p *Parser) infer(body []byte, key string, t Table) error {
	s := &scanner{b: body, pause: p.Pause}
	p.tensors = p.tensors[:0]
	found := false
	err := s.members(func(k []byte) error {
		if string(k) != key {
			return s.skip(maxDepth)
		}
		if found {
			return unparsable("%q twice", key)
		}
		found = true
		return s.elements(func() error {
			if len(p.tensors) == maxTensors {
				return unparsable("more than %d tensors", maxTensors)
			}
			x := tensor{data: -1}
			if err := x.read(s); err != nil {
				return err
			}
			p.tensors = append(p.tensors, x)
			return nil
		})
	})
	switch {
	case err != nil:
		return err
	case s.peek() != 0 || s.i < len(body):
		return s.fail("the end")
	case len(p.tensors) == 0:
		return unparsable("no %q", key)
	}
	n, err := p.bind(t)
	if err != nil {
		return err
	}
	return p.tell(s, n, t)
}

// read reads one tensor: its shape may come behind its data.
func (x *tensor) read(s *scanner) error {
	err := s.members(func(k []byte) (err error) {
		switch string(k) {
		case "name":
			x.name, err = s.text()
		case "shape":
			err = x.shape(s)
		case "data":
			s.peek()
			x.data, x.leaves = s.i, 0
			err = leaves(s, maxDepth, func(Value) { x.leaves++ })
		case "parameters":
			err = x.parameters(s)
		default:
			err = s.skip(maxDepth)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case x.binary:
		return ErrUnsupported
	case !x.shaped || x.data < 0:
		return unparsable("tensor %.64q has no shape or no data", x.name)
	case x.rows*x.width != x.leaves:
		return unparsable("tensor %.64q has %d values, its shape says %d", x.name, x.leaves, x.rows*x.width)
	}
	return nil
}

func (x *tensor) shape(s *scanner) error {
	x.rows, x.width, x.shaped = 1, 1, true
	dimension := 0
	return s.elements(func() error {
		v, err := s.scalar()
		if err != nil {
			return err
		}
		n := int64(v.Number)
		// More values than a body can hold are not a shape; this also keeps the product in range.
		if v.Type != Number || float64(n) != v.Number || n < 0 || n > int64(len(s.b)) || x.width*max(n, 1) > int64(len(s.b)) {
			return unparsable("tensor %.64q has a bad shape", x.name)
		}
		if dimension++; dimension == 1 {
			x.rows = n
		} else {
			x.width *= n
		}
		return nil
	})
}

func (x *tensor) parameters(s *scanner) error {
	if s.peek() != '{' {
		return s.skip(maxDepth)
	}
	return s.members(func(k []byte) error {
		x.binary = x.binary || string(k) == "binary_data_size"
		return s.skip(maxDepth)
	})
}

// leaves calls each with every scalar of a flat or nested array.
func leaves(s *scanner, depth int, each func(Value)) error {
	if depth == 0 {
		return s.fail("less nesting")
	}
	return s.elements(func() error {
		if s.peek() == '[' {
			return leaves(s, depth-1, each)
		}
		v, err := s.scalar()
		if err == nil {
			each(v)
		}
		return err
	})
}

// bind gives each tensor its columns and returns the number of rows. Tensors are columns by name; a single one that is no column itself holds all of them in order.
func (p *Parser) bind(t Table) (int, error) {
	p.seen = append(p.seen[:0], make([]int, t.Width())...)
	n, known := p.tensors[0].rows, 0
	if n*int64(t.Width()) > maxCells {
		return 0, unparsable("more than %d values", maxCells)
	}
	for i := range p.tensors {
		x := &p.tensors[i]
		x.columns = t.Lookup(x.name)
		if x.rows != n {
			return 0, unparsable("tensors of %d and %d rows", n, x.rows)
		}
		if x.columns < 0 {
			continue
		}
		if x.width != 1 {
			if len(p.tensors) == 1 && int(x.width) == t.Width() {
				break
			}
			return 0, unparsable("column %.64q has %d values a row", x.name, x.width)
		}
		if known++; p.seen[x.columns] > 0 {
			return 0, unparsable("column %.64q twice", x.name)
		}
		p.seen[x.columns] = 1
	}
	if known > 0 || len(p.tensors) > 1 && !p.answer {
		return int(n), nil
	}
	if len(p.tensors) > 1 || int(p.tensors[0].width) != t.Width() {
		return 0, unparsable("no tensor is a column, nor a table of %d columns", t.Width())
	}
	p.tensors[0].columns = 0
	for i := range p.seen {
		p.seen[i] = 1
	}
	return int(n), nil
}

// tell goes over the data again and tells every value.
func (p *Parser) tell(s *scanner, n int, t Table) error {
	for i := range p.tensors {
		x := &p.tensors[i]
		if x.columns < 0 {
			t.Unknown(n)
			continue
		}
		s.i = x.data
		column := 0
		if err := leaves(s, maxDepth, func(v Value) {
			t.Value(x.columns+column, v)
			if column++; column == int(x.width) {
				column = 0
			}
		}); err != nil {
			return err
		}
	}
	for column, has := range p.seen {
		for range n * (1 - has) {
			t.Value(column, Value{})
		}
	}
	t.Rows(n)
	return nil
}
