package protocol

// seldon reads {"data": {"names": […], "ndarray": rows}} or {"data": {"names": […], "tensor": {"shape": […], "values":
// […]}}}, in requests and answers. An answer's names are those of classes; where no column is called so, they are bound
// in order.
func (p *Parser) seldon(t Table) error {
	s := p.scan(len(p.body))
	return p.object(&s, func(key []byte) (bool, error) {
		switch string(key) {
		case "data":
			return true, p.seldonData(&s, t)
		case "strData", "binData", "jsonData", "customData":
			return false, ErrUnsupported
		}
		return false, nil
	})
}

func (p *Parser) seldonData(s *scanner, t Table) error {
	var names [][]byte
	g := grid{rows: -1}
	err := s.members(func(key []byte) (err error) {
		switch string(key) {
		case "names":
			names, err = s.names()
		case "ndarray", "tensor":
			if g.rows >= 0 {
				return unparsable("data twice")
			}
			if string(key) == "ndarray" {
				g, err = s.array()
			} else {
				g, err = p.seldonTensor(s)
			}
		case "tftensor":
			return ErrUnsupported
		default:
			err = s.skip(maxDepth)
		}
		return err
	})
	if err != nil {
		return err
	}
	if g.rows < 0 {
		return unparsable("no ndarray or tensor")
	}
	if p.answer && p.learn == nil && !anyKnown(names, t) {
		names = nil
	}
	return p.frame(names, g)
}

func anyKnown(names [][]byte, t Table) bool {
	for _, name := range names {
		if t.Lookup(name) >= 0 {
			return true
		}
	}
	return false
}

// seldonTensor consumes {"shape": […], "values": […]}.
func (p *Parser) seldonTensor(s *scanner) (grid, error) {
	var x v2Tensor
	g := grid{rows: -1}
	err := s.members(func(key []byte) (err error) {
		switch string(key) {
		case "shape":
			err = x.readShape(s)
		case "values":
			if g.rows >= 0 {
				return unparsable("values twice")
			}
			g, err = s.array()
		default:
			err = s.skip(maxDepth)
		}
		return err
	})
	switch {
	case err != nil:
		return g, err
	case !x.shaped || g.rows < 0:
		return g, unparsable("a tensor has no shape or no values")
	case x.rows*x.width != int64(g.rows*g.width):
		return g, unparsable("a tensor has %d values, its shape says %d", g.rows*g.width, x.rows*x.width)
	}
	g.rows, g.width, g.rank = int(x.rows), int(x.width), x.rank
	return g, nil
}
