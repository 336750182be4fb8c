package sidecar

// Released reports whether nothing is taken of the budget for captures.
func (s *Sidecar) Released() bool {
	all := int(s.cfg.CaptureBudget)
	free := s.observer.Reserve(all)
	if free {
		s.observer.Reserve(-all)
	}
	return free
}
