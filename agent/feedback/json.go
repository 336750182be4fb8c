package feedback

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readJSON finds the rows of a body in any of its three forms, and does not look
// into them.
func readJSON(in *bufio.Reader, take func(raw []byte) error) error {
	first, err := firstByte(in)
	if err != nil {
		return err
	}
	if first == '[' {
		return readArray(in, take)
	}
	// A line that is whole is the first of many; one that is not may be an object
	// that spans them, which only its end can tell.
	line, err := in.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if json.Valid(line) && wrapped(line) == nil {
		return readLines(io.MultiReader(bytes.NewReader(line), in), take)
	}
	rest, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	body := append(line, rest...)
	if rows := wrapped(body); rows != nil {
		return readArray(bytes.NewReader(rows), take)
	}
	if json.Valid(body) {
		return take(body)
	}
	return readLines(bytes.NewReader(body), take)
}

// firstByte skips white space.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		c, err := in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, errEmpty
		case err != nil:
			return 0, err
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return c, in.UnreadByte()
		}
	}
}

// wrapped is the array in {"rows": […]}, nil for all else.
func wrapped(body []byte) []byte {
	var w struct {
		Rows json.RawMessage `json:"rows"`
	}
	if json.Unmarshal(body, &w) != nil || len(w.Rows) == 0 || w.Rows[0] != '[' {
		return nil
	}
	return w.Rows
}

func readArray(in io.Reader, take func(raw []byte) error) error {
	d := json.NewDecoder(in)
	_, err := d.Token()
	for err == nil && d.More() {
		var raw json.RawMessage
		if err = d.Decode(&raw); err == nil {
			if err := take(raw); err != nil {
				return err
			}
		}
	}
	if err == nil {
		_, err = d.Token()
	}
	if err != nil {
		return fmt.Errorf("the body is not an array of rows: %w", err)
	}
	_, err = d.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errors.New("the body goes on after the array of rows")
	}
	return fmt.Errorf("after the array of rows: %w", err)
}

// readLines takes each line as a row, so that one that is damaged costs itself
// only.
func readLines(r io.Reader, take func(raw []byte) error) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := take(line); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}
