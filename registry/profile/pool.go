package profile

// pool keeps rows of values one after the other, for a comparison that walks
// through them. A row is known by where it begins, which is no pointer: with
// thousands of references the garbage collector would have millions to follow.
type pool[T any] []T

// add keeps a copy of the row.
func (p *pool[T]) add(row ...T) (at uint32) {
	at = uint32(len(*p))
	*p = append(*p, row...)
	return at
}

// row is the one of n values that begins there.
func (p pool[T]) row(at uint32, n int) []T { return p[at:][:n:n] }
