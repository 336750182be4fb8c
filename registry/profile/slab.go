package profile

// slab hands out room for values that are walked through one after the other, so
// that they lie one after the other. What it has handed out stays where it is.
type slab[T any] struct{ free []T }

// slabSize is how many values it gets at a time.
const slabSize = 256

// of returns a copy of the values.
func (s *slab[T]) of(values ...T) []T {
	if len(s.free) < len(values) {
		s.free = make([]T, max(slabSize, len(values)))
	}
	out := s.free[:len(values):len(values)]
	s.free = s.free[len(values):]
	copy(out, values)
	return out
}
