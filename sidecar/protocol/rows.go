package protocol

import "bytes"

// rows consumes rows: a list of lists in the profile's order, of objects by name, or, for a single column, of scalars.
func (p *Parser) rows(s *scanner, t Table) error {
	at := s.i
	if !s.take('[') {
		return s.fail("an array")
	}
	objects := s.peek() == '{' && !p.encodedRow(s, t)
	s.i = at
	if objects {
		return p.records(s, t)
	}
	g, err := s.array()
	if err != nil {
		return err
	}
	if g.rows == 0 {
		g.width = p.width
	}
	return p.addGrid(nil, g)
}

// encodedRow reports whether a row is nothing but encoded bytes.
func (p *Parser) encodedRow(s *scanner, t Table) bool {
	if p.kind != V1 && p.kind != TFServing || t.Lookup([]byte("b64")) >= 0 {
		return false
	}
	_, err := s.encoded()
	p.encoded = 0
	return err == nil
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
	width := p.width
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
	err := s.members(func(name []byte) error {
		column, sum := p.lookup(name, i, t)
		if i++; column < 0 {
			known = known || sum != nil
			return p.otherMember(s, name, sum, at)
		}
		if !absent(p.cells[at+column]) {
			return unparsable("a row has column %.64q twice", name)
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

// otherMember consumes the value of a member that is no column itself.
func (p *Parser) otherMember(s *scanner, name []byte, sum *target, row int) error {
	if sum != nil {
		return p.summaryMember(s, name, sum, row)
	}
	p.unknown++
	return p.unknownMember(s, name)
}

// unknownMember consumes the value of a member that is nothing of the table, which a Learner may learn.
func (p *Parser) unknownMember(s *scanner, name []byte) error {
	c := s.peek()
	if p.learn == nil {
		return s.skip(maxDepth)
	}
	if c != '[' && c != '{' {
		p.learn.Learn(name, 1)
		return s.skip(maxDepth)
	}
	at, cells := s.i, len(p.cells)
	var g grid
	var err error
	if c == '[' {
		g, err = s.array()
	} else {
		_, err = s.scalar()
	}
	p.cells = p.cells[:cells]
	if err != nil { // nested in another way
		s.i = at
		return s.skip(maxDepth)
	}
	if n := g.rows * g.width; c == '{' || n > 1 {
		p.learnName(name, 1, n, c == '{' || g.rank+1 > 2)
	}
	return nil
}

// summaryMember consumes a value of the row whose cells begin at a cell, and sums it up in its columns.
func (p *Parser) summaryMember(s *scanner, name []byte, d *target, row int) error {
	end := len(p.cells)
	g, err := s.arrayOrScalar()
	if err != nil {
		return err
	}
	sum := p.summarise(g.at, g.rows*g.width, d)
	p.cells, p.encoded = p.cells[:end], 0
	for i, column := range d.columns {
		if column < 0 {
			continue
		}
		if !absent(p.cells[row+column]) {
			return unparsable("a row has %.64q twice", name)
		}
		p.cells[row+column] = number(sum[i])
	}
	return nil
}

// key is the name of a member, and its column, or those that sum it up.
type key struct {
	name   []byte
	column int
	sum    *target
}

// lookup finds the column of the i-th member of a record. Records are mostly written alike: the name is most likely the
// one that the last record had there.
func (p *Parser) lookup(name []byte, i int, t Table) (column int, sum *target) {
	if i < len(p.keys) && bytes.Equal(p.keys[i].name, name) {
		return p.keys[i].column, p.keys[i].sum
	}
	k := key{name: name, column: p.column(name, t)}
	if k.column < 0 {
		k.sum = p.target(name, t)
	}
	switch {
	case i < len(p.keys):
		p.keys[i] = k
	case i == len(p.keys) && i < maxTensors:
		p.keys = append(p.keys, k)
	}
	return k.column, k.sum
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
