package profile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Encode writes the profile as JSON: the same profile gives the same bytes.
// It refuses what Parse would refuse.
func (p *Profile) Encode() ([]byte, error) {
	q := *p
	q.From, q.To = utc(p.From), utc(p.To)
	if q.Features == nil {
		q.Features = []Column{}
	}
	if err := q.check(); err != nil {
		return nil, fmt.Errorf("encode profile: %w", err)
	}
	data, err := json.Marshal(&q)
	if err != nil {
		return nil, fmt.Errorf("encode profile: %w", err)
	}
	if len(data) >= MaxBytes {
		return nil, fmt.Errorf("encode profile: %d bytes, at most %d: leave columns out", len(data), MaxBytes)
	}
	return append(data, '\n'), nil
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// Digest is "sha256:" and 64 hexadecimal digits of the encoded bytes.
func Digest(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// wire is a Profile with its columns still encoded, so that their number and
// size are known before any of them takes up memory.
type wire struct {
	Format      string            `json:"format"`
	Source      string            `json:"source"`
	Rows        int64             `json:"rows"`
	From        *time.Time        `json:"from"`
	To          *time.Time        `json:"to"`
	Blocks      json.RawMessage   `json:"blocks"`
	Features    []json.RawMessage `json:"features"`
	Predictions []json.RawMessage `json:"predictions"`
}

// Parse reads an encoded profile and checks all of it: what it returns can be
// used as it is. Errors wrap ErrFormat and say which column and field.
func Parse(data []byte) (*Profile, error) {
	p, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return p, nil
}

func parse(data []byte) (*Profile, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%d bytes, at most %d", len(data), MaxBytes)
	}
	var w wire
	if err := decode(data, &w); err != nil {
		return nil, err
	}
	if w.Format != Format {
		return nil, fmt.Errorf("format: is %q, want %q", clip(w.Format), Format)
	}
	if n := len(w.Features) + len(w.Predictions); n > MaxColumns {
		return nil, fmt.Errorf("features and predictions: %d columns, at most %d", n, MaxColumns)
	}
	p := &Profile{Format: w.Format, Source: w.Source, Rows: w.Rows, From: utc(w.From), To: utc(w.To)}
	var err error
	if p.Blocks, err = blocks(w.Blocks); err != nil {
		return nil, err
	}
	if p.Features, err = columns("features", w.Features); err != nil {
		return nil, err
	}
	if p.Predictions, err = columns("predictions", w.Predictions); err != nil {
		return nil, err
	}
	return p, p.check()
}

// maxBlocksBytes is more than enough for maxWindows.
const maxBlocksBytes = 16 << 10

func blocks(encoded json.RawMessage) (list []BlockDistances, err error) {
	if len(encoded) > maxBlocksBytes {
		return nil, fmt.Errorf("blocks: %d bytes, at most %d", len(encoded), maxBlocksBytes)
	}
	if len(encoded) > 0 {
		if err := decode(encoded, &list); err != nil {
			return nil, fmt.Errorf("blocks: %w", err)
		}
	}
	return list, nil
}

func columns(field string, encoded []json.RawMessage) ([]Column, error) {
	var list []Column
	for i, raw := range encoded {
		if len(raw) > MaxColumn {
			return nil, fmt.Errorf("%s[%d]: %d bytes, at most %d", field, i, len(raw), MaxColumn)
		}
		var c Column
		if err := decode(raw, &c); err != nil {
			return nil, fmt.Errorf("%s[%d] %q: %w", field, i, clip(c.Name), err)
		}
		list = append(list, c)
	}
	return list, nil
}

// decode reads one JSON value, of known fields only, and nothing after it.
func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return fmt.Errorf("%s: is a %s, want %s", wrong.Field, wrong.Value, wrong.Type)
		}
		return fmt.Errorf("at byte %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("at byte %d: more than one JSON value", d.InputOffset())
	}
	return nil
}

// clip shortens text from outside for an error.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
