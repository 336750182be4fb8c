package protocol

import "bytes"

// rows consumes rows: a list of lists in the profile's order, of objects by name, or, for a single column, of scalars.
func (p *Parser) rows(s *scanner, t Table) error {
	at := s.i
	if !s.take('[') {
		return s.fail("an array")
	}
	objects := s.peek() == '{'
	s.i = at
	if objects {
		return p.records(s, t)
	}
	g, err := s.array()
	if err != nil {
		return err
	}
	if g.rows == 0 {
		g.width = t.Width()
	}
	return p.addGrid(nil, g)
}

// columns consumes an object of columns or named tensors, each a list of its rows' values; scalars are one row.
func (p *Parser) columns(s *scanner) error {
	return s.members(func(name []byte) error {
		g, err := s.arrayOrScalar()
		if err != nil {
			return err
		}
		return p.addGrid(name, g)
	})
}

// anything consumes rows, columns, or the scalar of the only row.
func (p *Parser) anything(s *scanner, t Table) error {
	switch s.peek() {
	case '{':
		return p.columns(s)
	case '[':
		return p.rows(s, t)
	}
	g, err := s.arrayOrScalar()
	if err != nil {
		return err
	}
	return p.addGrid(nil, g)
}

func (s *scanner) arrayOrScalar() (grid, error) {
	if s.peek() == '[' {
		return s.array()
	}
	cell, err := s.scalar()
	s.p.cells = append(s.p.cells, cell)
	return grid{at: len(s.p.cells) - 1, rows: 1, width: 1}, err
}

// records consumes a list of rows as objects.
func (p *Parser) records(s *scanner, t Table) error {
	width := t.Width()
	x := tensor{records: true, width: width, at: len(p.cells), stride: width}
	p.keys = p.keys[:0]
	err := s.elements(func() error {
		if err := p.room(width); err != nil {
			return err
		}
		x.rows++
		return p.record(s, t, width)
	})
	if err != nil {
		return err
	}
	return p.add(x)
}

func (p *Parser) record(s *scanner, t Table, width int) error {
	at := len(p.cells)
	for range width {
		p.cells = append(p.cells, box(tagAbsent, 0))
	}
	known, i := false, 0
	err := s.members(func(key []byte) error {
		column := p.lookup(key, i, t)
		if i++; column < 0 {
			p.unknown++
			if c := s.peek(); p.learn != nil && c != '[' && c != '{' {
				p.learn.Learn(key)
			}
			return s.skip(maxDepth)
		}
		if !absent(p.cells[at+column]) {
			return unparsable("a row has column %.64q twice", key)
		}
		known = true
		cell, err := s.single()
		p.cells[at+column] = cell
		return err
	})
	if err == nil && p.answer && p.learn == nil && !known {
		return unparsable("no value of a row is a known output")
	}
	return err
}

// key is the name of a member, and its column.
type key struct {
	name   []byte
	column int
}

// lookup finds the column of the i-th member of a record. Records are mostly written alike: the name is most likely the
// one that the last record had there.
func (p *Parser) lookup(name []byte, i int, t Table) int {
	if i < len(p.keys) && bytes.Equal(p.keys[i].name, name) {
		return p.keys[i].column
	}
	k := key{name, t.Lookup(name)}
	switch {
	case i < len(p.keys):
		p.keys[i] = k
	case i == len(p.keys) && i < maxTensors:
		p.keys = append(p.keys, k)
	}
	return k.column
}

// single consumes a scalar, or a scalar alone in a list.
func (s *scanner) single() (float64, error) {
	if s.peek() != '[' {
		if s.i+9 <= len(s.b) {
			if v, end := short(s.b, s.i); end > 0 {
				s.i = end
				return v, nil
			}
		}
		return s.scalar()
	}
	s.i++
	cell, err := s.scalar()
	if err == nil && !s.take(']') {
		return 0, s.fail("']' behind a single value")
	}
	return cell, err
}
