package protocol

// v1 reads {"instances": rows} or {"inputs": rows or columns} of KServe V1 and TensorFlow Serving, and the answers
// {"predictions": …} and {"outputs": …}. Where a model has one named tensor only, its name may be left out.
func (p *Parser) v1(t Table) error {
	s := p.scan(len(p.body))
	return p.object(&s, func(key []byte) (found bool, err error) {
		switch string(key) {
		case "instances":
			if p.answer {
				return false, nil
			}
			return true, p.rows(&s, t)
		case "inputs":
			found = !p.answer
		case "predictions", "outputs":
			found = p.answer
		}
		if !found {
			return false, nil
		}
		return true, p.anything(&s, t)
	})
}

// object reads a body that is an object with exactly one of the members that read finds and consumes.
func (p *Parser) object(s *scanner, read func(key []byte) (found bool, err error)) error {
	had := false
	err := s.members(func(key []byte) error {
		found, err := read(key)
		if err != nil || !found {
			if err == nil {
				err = s.skip(maxDepth)
			}
			return err
		}
		if had {
			return unparsable("%.64q, but the data were there before", key)
		}
		had = true
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(p.tensors) == 0:
		return unparsable("no data")
	}
	return s.end()
}
