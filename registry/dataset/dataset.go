package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/leeway-dev/leeway/registry/profile"
)

// Profile describes the rows of all sources as those of one.
//
// A row with too many or too few fields, broken quotes, or in a column given as
// a number something else, is bad: left out and counted. So is one without a
// time, where there is a column of time. Missing values are empty, NaN, null (in
// any case) and NA. Every other row counts, in any order: the same rows give the
// same bytes.
//
// The report is of use with an error, too.
func Profile(ctx context.Context, sources []Source, o Options) (*profile.Profile, Report, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, Report{}, err
	}
	if len(sources) == 0 {
		return nil, Report{}, errors.New("no rows: no file was read")
	}
	r := &run{options: o, sources: sources, decimals: newDecimals(), store: &store{dir: o.TempDir, limit: o.limits.held}}
	p, err := r.profile(ctx)
	if e := r.store.close(); err == nil && e != nil {
		err = fmt.Errorf("temporary file: %w", e)
	}
	return p, r.report, err
}

// FromCSV makes a profile of the rows of CSV with a header; name is for errors.
func FromCSV(name string, r io.Reader, o Options) (*profile.Profile, Report, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, Report{}, fmt.Errorf("%s: after line %d: %w", name, bytes.Count(b, []byte{'\n'}), err)
	}
	s := Memory(name, b)
	s.Format = CSV
	return Profile(context.Background(), []Source{s}, o)
}
