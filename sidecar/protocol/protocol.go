package protocol

import (
	"bytes"
	"errors"
	"fmt"
)

// Kind is a protocol.
type Kind string

// The protocols. Other is whatever passes without being read.
const (
	V1    Kind = "v1"
	V2    Kind = "v2"
	Other Kind = "other"
	Auto  Kind = "auto" // in flags: V1 or V2, by path
)

var (
	// ErrUnparsable: a body that is not what its protocol says, or whose values fit no column.
	ErrUnparsable = errors.New("unparsable")
	// ErrUnsupported: a form of the protocol that is not read yet.
	ErrUnsupported = errors.New("unsupported")
)

// ParseKind reads the flag --protocol.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case Auto, V1, V2:
		return k, nil
	}
	return "", fmt.Errorf("protocol %q: this version reads %s, %s and %s", s, Auto, V1, V2)
}

// Recognise says which protocol a request speaks, by method and target; want restricts it to one (Auto: any).
func Recognise(method, target []byte, want Kind) Kind {
	if string(method) != "POST" {
		return Other
	}
	path := pathOf(target)
	switch {
	case want != V2 && bytes.HasPrefix(path, []byte("/v1/models/")) && bytes.HasSuffix(path, []byte(":predict")):
		return V1
	case want != V1 && bytes.HasPrefix(path, []byte("/v2/models/")) && bytes.HasSuffix(path, []byte("/infer")):
		return V2
	}
	return Other
}

// pathOf strips the query, and the scheme and host of an absolute target.
func pathOf(target []byte) []byte {
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		target = target[:i]
	}
	if i := bytes.Index(target, []byte("://")); i > 0 && target[0] != '/' {
		target = target[i+3:]
		if j := bytes.IndexByte(target, '/'); j >= 0 {
			return target[j:]
		}
		return nil
	}
	return target
}

// Table is where values go: the features of a model, or its predictions, in the order of its profile.
type Table interface {
	// Width is the number of columns.
	Width() int
	// Lookup is the index of a column, or −1. The name may be used during the call only.
	Lookup(name []byte) int
	// Value tells the value of one row in one column.
	Value(column int, v Value)
	// Unknown tells of values of columns that the profile does not have.
	Unknown(n int)
	// Rows tells how many rows there were, after their values.
	Rows(n int)
}

// Type of a value.
type Type uint8

// The types of a value.
const (
	Missing Type = iota // null, NaN or absent
	Number
	Text
	Bool
)

// Value is a scalar. Text may be used during the call only.
type Value struct {
	Type   Type
	Number float64 // of a Bool: 0 or 1
	Text   []byte  // of a Bool: true or false
}

// maxCells is how many values a body may stand for, absent ones included: a small body of empty rows must not cost a minute.
const maxCells = 1 << 20

// Parser reads bodies. It keeps scratch memory between them and is not safe for concurrent use.
type Parser struct {
	// Pause is called every few microseconds of a long body, for who has more urgent things to do in between. It must not
	// use the Parser. nil: never.
	Pause func()

	tensors []tensor
	seen    []int // by column: the row that had it, from 1
	// answer: a response. A request none of whose names is known lacks every column; a response may name its outputs as it likes, and is then not readable.
	answer bool
}

// Features reads a request's rows into t: all of them, or none and an error.
func (p *Parser) Features(k Kind, body []byte, t Table) error {
	p.answer = false
	if k == V1 {
		return p.rows(body, "instances", t)
	}
	return p.infer(body, "inputs", t)
}

// Predictions reads a response's predictions into t: all of them, or none and an error.
func (p *Parser) Predictions(k Kind, body []byte, t Table) error {
	p.answer = true
	if k == V1 {
		return p.rows(body, "predictions", t)
	}
	return p.infer(body, "outputs", t)
}

func unparsable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnparsable, fmt.Sprintf(format, args...))
}
