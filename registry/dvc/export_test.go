package dvc

// Flat parses a file and flattens it.
func Flat(name string, b []byte) (map[string]Value, error) {
	v, err := parseFile(name, b)
	if err != nil {
		return nil, err
	}
	flat := map[string]Value{}
	return flat, flatten(name, v, flat)
}
