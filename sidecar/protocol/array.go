package protocol

// grid is a rectangular array of scalars, whose cells are p.cells[at:], row by row.
type grid struct {
	at, rows int
	width    int // values of a row, however they nest
	rank     int // dimensions of a row
}

// nesting keeps an array rectangular: all arrays of a depth are equally long, and scalars are at the deepest only.
type nesting struct {
	depth, deepest int
	scalars        bool
	count          [maxDepth + 1]int // by depth: elements so far of the array that is open
	size           [maxDepth + 1]int // by depth: one more than the elements of those that are closed; 0 without any
}

func (n *nesting) open() bool {
	if n.depth++; n.depth > maxDepth || n.depth > n.deepest && n.scalars {
		return false
	}
	n.deepest = max(n.deepest, n.depth)
	n.count[n.depth] = 0
	return true
}

func (n *nesting) close() bool {
	c := n.count[n.depth] + 1
	if n.size[n.depth] == 0 {
		n.size[n.depth] = c
	}
	if n.size[n.depth] != c {
		return false
	}
	n.depth--
	n.count[n.depth]++
	return true
}

// array consumes a flat or nested array of scalars. What differs in length or nesting is refused.
func (s *scanner) array() (grid, error) {
	var n nesting
	g := grid{at: len(s.p.cells)}
	for {
		for s.take('[') {
			if !n.open() {
				return g, s.fail("an array like those before")
			}
		}
		if n.depth == 0 {
			return g, s.fail("an array")
		}
		if n.count[n.depth] > 0 || s.peek() != ']' {
			n.scalars = true
			if n.depth != n.deepest {
				return g, s.fail("an array")
			}
			k, err := s.scalars()
			if err != nil {
				return g, err
			}
			n.count[n.depth] += k
		}
		for s.take(']') {
			if !n.close() {
				return g, s.fail("an array as long as those before")
			}
			if n.depth == 0 {
				g.rows, g.width, g.rank = n.size[1]-1, 1, n.deepest-1
				for _, k := range n.size[2 : n.deepest+1] {
					g.width *= k - 1
				}
				return g, s.rest()
			}
		}
		if !s.take(',') {
			return g, s.fail("',' or ']'")
		}
		if s.peek() == ']' {
			return g, s.fail("a value")
		}
	}
}

// scalars consumes scalars with commas between them, and says how many; they become cells.
func (s *scanner) scalars() (int, error) {
	old := len(s.p.cells)
	for {
		if ended := s.numbers(); !ended {
			cell, err := s.scalar()
			if err != nil {
				return 0, err
			}
			s.p.cells = append(s.p.cells, cell)
			s.p.unboxed = s.p.unboxed && cell == cell
		}
		if s.peek() != ',' {
			return len(s.p.cells) - old, nil
		}
		s.i++
		if err := s.rest(); err != nil {
			return 0, err
		}
		s.peek()
	}
}

// numbers consumes short numbers, each with the comma behind it, and stops before another value, or, ended, behind a
// number that has no comma.
func (s *scanner) numbers() (ended bool) {
	b, i, cells := s.b, s.i, s.p.cells
	for i+9 <= len(b) && i < s.next {
		v, end := short(b, i)
		if end == 0 {
			break
		}
		cells = append(cells, v)
		if i = end; b[i] != ',' {
			ended = true
			break
		}
		if i++; i < len(b) && b[i] == ' ' {
			i++
		}
	}
	s.i, s.p.cells = i, cells
	return ended
}
