package protocol

// mlflow reads what MLflow's scoring server takes as JSON: exactly one of dataframe_split, dataframe_records, instances
// and inputs; and the answer, {"predictions": …}. SageMaker's servers take and give rows without anything around them.
func (p *Parser) mlflow(t Table) error {
	s := p.scan(len(p.body))
	if s.peek() == '[' {
		if err := p.rows(&s, t); err != nil {
			return err
		}
		return s.end()
	}
	return p.object(&s, func(key []byte) (bool, error) {
		if p.answer {
			if string(key) != "predictions" {
				return false, nil
			}
			return true, p.anything(&s, t)
		}
		switch string(key) {
		case "dataframe_split":
			return true, p.split(&s, "columns", "data")
		case "dataframe_records":
			return true, p.records(&s, t)
		case "instances":
			return true, p.rows(&s, t)
		case "inputs":
			return true, p.anything(&s, t)
		}
		return false, nil
	})
}

// split consumes a data frame: an object with the names of its columns, which may be missing, and its rows.
func (p *Parser) split(s *scanner, columns, data string) error {
	var names [][]byte
	g := grid{rows: -1}
	err := s.members(func(key []byte) (err error) {
		switch {
		case string(key) == columns && names == nil:
			names, err = s.names()
		case string(key) == data && g.rows < 0:
			g, err = s.array()
		case string(key) == columns || string(key) == data:
			return unparsable("%.64q twice", key)
		default:
			err = s.skip(maxDepth)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case g.rows < 0:
		return unparsable("no %q", data)
	}
	return p.frame(names, g)
}

// frame appends a tensor for every column of a data frame; without names it is a table in the profile's order.
func (p *Parser) frame(names [][]byte, g grid) error {
	if len(names) == 0 {
		return p.addGrid(nil, g)
	}
	if g.rows == 0 {
		g.width = len(names)
	}
	if g.width != len(names) {
		return unparsable("%d columns of %d names", g.width, len(names))
	}
	for i, name := range names {
		x := tensor{name: name, frame: true, rows: g.rows, width: 1, at: g.at + i, stride: g.width}
		if err := p.add(x); err != nil {
			return err
		}
	}
	return nil
}

// names consumes a list of names, or null.
func (s *scanner) names() ([][]byte, error) {
	if s.word("null") {
		return nil, nil
	}
	names := [][]byte{}
	err := s.elements(func() error {
		if s.peek(); len(names) == maxTensors {
			return unparsable("more than %d names", maxTensors)
		}
		at := s.i
		if s.i < len(s.b) && s.b[s.i] == '"' {
			name, err := s.string()
			names = append(names, name)
			return err
		}
		_, err := s.scalar() // pandas numbers columns that have no name
		names = append(names, s.b[at:s.i])
		return err
	})
	return names, err
}
