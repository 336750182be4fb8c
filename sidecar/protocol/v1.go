package protocol

// form is how the rows of a V1 body are written.
type form uint8

const (
	formNone form = iota
	formScalar
	formList
	formObject
)

// rows reads {"<key>": [row, …]}, where a row is a list in the profile's order, an object by name, or for a single column a scalar.
func (p *Parser) rows(body []byte, key string, t Table) error {
	s := &scanner{b: body, pause: p.Pause}
	at := -1
	err := s.members(func(k []byte) error {
		if string(k) == key {
			if at >= 0 {
				return unparsable("%q twice", key)
			}
			s.peek()
			at = s.i
		}
		return s.skip(maxDepth)
	})
	switch {
	case err != nil:
		return err
	case s.peek() != 0 || s.i < len(body):
		return s.fail("the end")
	case at < 0:
		return unparsable("no %q", key)
	}
	p.seen = append(p.seen[:0], make([]int, t.Width())...)
	s.i = at
	if _, err := p.eachRow(s, check{t}); err != nil {
		return err
	}
	clear(p.seen)
	s.i = at
	n, err := p.eachRow(s, t)
	t.Rows(n)
	return err
}

// check is a Table that hears nothing: the first pass.
type check struct{ Table }

func (check) Value(int, Value) {}
func (check) Unknown(int)      {}
func (check) Rows(int)         {}

func (p *Parser) eachRow(s *scanner, t Table) (n int, err error) {
	rows := formNone
	err = s.elements(func() error {
		if n++; n*t.Width() > maxCells {
			return unparsable("more than %d values", maxCells)
		}
		f := formScalar
		switch s.peek() {
		case '[':
			f = formList
		case '{':
			f = formObject
		}
		if rows != formNone && rows != f {
			return unparsable("row %d is not written like the first", n)
		}
		rows = f
		switch f {
		case formList:
			return p.listRow(s, n, t)
		case formObject:
			return p.objectRow(s, n, t)
		}
		if t.Width() != 1 {
			return unparsable("row %d is a single value, want %d", n, t.Width())
		}
		return cell(s, 0, t)
	})
	return n, err
}

func (p *Parser) listRow(s *scanner, n int, t Table) error {
	column := 0
	err := s.elements(func() error {
		if column >= t.Width() {
			return unparsable("row %d has more than %d values", n, t.Width())
		}
		column++
		return cell(s, column-1, t)
	})
	if err == nil && column < t.Width() {
		return unparsable("row %d has %d values, want %d", n, column, t.Width())
	}
	return err
}

func (p *Parser) objectRow(s *scanner, n int, t Table) error {
	err := s.members(func(key []byte) error {
		column := t.Lookup(key)
		if column < 0 {
			t.Unknown(1)
			return s.skip(maxDepth)
		}
		if p.seen[column] == n {
			return unparsable("row %d has a column twice", n)
		}
		p.seen[column] = n
		return cell(s, column, t)
	})
	if err != nil {
		return err
	}
	known := false
	for column, row := range p.seen {
		if row != n {
			t.Value(column, Value{})
		}
		known = known || row == n
	}
	if p.answer && !known {
		return unparsable("no value of row %d is a known output", n)
	}
	return nil
}

// cell reads a scalar, or a scalar alone in a list.
func cell(s *scanner, column int, t Table) error {
	if s.peek() != '[' {
		v, err := s.scalar()
		if err == nil {
			t.Value(column, v)
		}
		return err
	}
	n := 0
	err := s.elements(func() error {
		if n++; n > 1 {
			return unparsable("a value is a list")
		}
		v, err := s.scalar()
		if err == nil {
			t.Value(column, v)
		}
		return err
	})
	if err == nil && n == 0 {
		return unparsable("a value is an empty list")
	}
	return err
}
