package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// EachRow reads a CSV file, packed or not: its head, if that is wanted, and each
// row by the names of its columns, of which those that are not there are empty.
func EachRow(path string, head func(header []string) error, row func(get func(string) string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in, done, err := Unpack(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer done()
	lines := csv.NewReader(in)
	header, err := lines.Read()
	if err == nil && head != nil {
		err = head(header)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	lines.ReuseRecord = true
	for n := 2; ; n++ {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = row(func(name string) string {
				if i := slices.Index(header, name); i >= 0 {
					return record[i]
				}
				return ""
			})
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
}
