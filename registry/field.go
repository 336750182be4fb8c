package registry

// FieldError says which field of a spec is wrong, in words that a program can
// use: the path of the field as the custom resource has it, such as
// "artifact.uri". Validate's errors are such errors.
type FieldError struct {
	Field string
	Err   error
}

// Error says what is wrong; Err names the field in its own words.
func (e *FieldError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// inField says which field an error is about.
func inField(field string, err error) error {
	if err == nil {
		return nil
	}
	return &FieldError{Field: field, Err: err}
}
