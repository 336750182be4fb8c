package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	// labelHead is how much of an input tells it from others.
	labelHead = 64 << 10
	// maxLabelState is more than any state has.
	maxLabelState = 1 << 20
)

// labelState is how far an input was sent. It is written after each batch, so a
// command that is killed goes on after the last batch that was answered.
type labelState struct {
	// Input is the digest of the beginning of each file, and of the flags that say
	// what is read from it.
	Input  string      `json:"input"`
	Report labelReport `json:"report"`

	file string // empty: nothing is kept
}

// openLabelState reads what an earlier run left, if it was about this input.
func (a *app) openLabelState(names []string, o labelOptions) (*labelState, error) {
	s := &labelState{file: o.state}
	if s.file == "" {
		return s, nil
	}
	input, err := a.inputDigest(names, o)
	if err != nil {
		return nil, err
	}
	b, err := a.readFile(s.file, maxLabelState)
	if errors.Is(err, fs.ErrNotExist) {
		s.Input = input
		return s, s.save() // rather now than when rows were sent already
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("%s: not the state of an interrupted feedback; remove it to begin anew: %w", s.file, err)
	}
	if s.Report.Rows == 0 {
		s.Input = input
	}
	if s.Input != input {
		return nil, fmt.Errorf("%s: left by an interrupted feedback of other files or with other flags; "+
			"finish that, or remove it to begin anew", s.file)
	}
	return s, nil
}

// inputDigest does not cover the address: the rest may go elsewhere.
func (a *app) inputDigest(names []string, o labelOptions) (string, error) {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]string{
		o.namespace, o.model, o.version, o.outcomes,
		o.predicted, o.actual, o.time, o.versionColumn, o.receipt, o.weight,
	})
	for _, name := range names {
		head, err := a.head(name)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(head)
		h.Write(sum[:])
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// head is the beginning of a file, which can still be read after it.
func (a *app) head(name string) ([]byte, error) {
	if name == "-" {
		in := bufio.NewReaderSize(a.in, labelHead)
		a.in = in
		head, err := in.Peek(labelHead)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return head, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, labelHead))
}

func (s *labelState) save() error {
	if s.file == "" {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := replaceFile(s.file, append(b, '\n')); err != nil {
		return fmt.Errorf("can't keep how far it got, %d rows; say where with --state: %w", s.Report.Rows, err)
	}
	return nil
}

func (s *labelState) remove() error {
	if s.file == "" {
		return nil
	}
	if err := os.Remove(s.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
