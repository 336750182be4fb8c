package protocol

import (
	"errors"
	"fmt"
)

var (
	// ErrUnparsable: a body that is not what its protocol says, or whose values fit no column.
	ErrUnparsable = errors.New("unparsable")
	// ErrUnsupported: a form of the protocol that is not read.
	ErrUnsupported = errors.New("unsupported")
	// ErrUnnamed: values without names, for a Learner.
	ErrUnnamed = errors.New("values without names")
)

// Message is one body and what its head says about it.
type Message struct {
	Kind Kind
	Form Form
	// HeaderLength is how much of a FormBinary body is JSON: the value of Inference-Header-Content-Length.
	HeaderLength int64
	// Body has no Content-Encoding, and for gRPC no prefix: it is one whole message.
	Body []byte
}

// Table is where values go: the features of a model, or its predictions, in the order of its profile.
type Table interface {
	// Width is the number of columns.
	Width() int
	// Lookup is the index of a column, or −1. The name may be used during the call only.
	Lookup(name []byte) int
	// Numbers tells values of many rows in one column: the first, and every stride-th behind it. NaN is a missing one.
	Numbers(column int, values []float64, stride int)
	// Value tells the value of one row in one column.
	Value(column int, v Value)
	// Derived says which columns are made of values that have other names.
	Derived() Derived
	// Unknown tells of values of columns that the profile does not have.
	Unknown(n int)
	// Folded tells of values that were told by columns that sum them up.
	Folded(f Fold, n int)
	// Rows tells how many rows there were, after their values.
	Rows(n int)
}

// Derived are the columns of a Table that the values of several others, or of none, are told by.
type Derived struct {
	// Summarised are the names of vectors, images and audio: a column for each has that name and a suffix of package
	// summary.
	Summarised []string
	// Classes, if there are any, have the highest of each row in the last column of the table.
	Classes []int
}

// Learner is a Table that grows. Only what has names is read into it, for the order of its columns is nobody's choice.
// The one value a row of an answer without names is Prediction.
type Learner interface {
	Table
	// Learn tells of a column that Lookup does not know, and that n values are for it. The body may yet turn out
	// unreadable. The name may be used during the call only.
	Learn(name []byte, n int)
}

// Prediction is what a Learner calls values of answers that have no name.
const Prediction = "prediction"

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

// MaxValues is how many values a body may stand for, absent ones included: a small body of empty rows must not cost a
// minute. It also bounds the parser's scratch memory, to 8 MiB.
const MaxValues = 1 << 20

// keepCells is how many cells are kept for the next body.
const keepCells = 1 << 15

// Parser reads bodies. It keeps scratch memory between them and is not safe for concurrent use.
type Parser struct {
	// Pause, if set, is called about every 8 KiB of a body, so that the caller can do something else in between. It must
	// not use the parser, nor change the body.
	Pause func()
	// MaxFeatures is how many values a row without names may have at most, unless it is one of the table's columns: more
	// are a vector. 0: DefaultMaxFeatures.
	MaxFeatures int

	kind      Kind
	body      []byte
	cells     []float64 // what was read; text and the like are boxed (cell.go)
	unboxed   bool      // all cells are numbers; false: some may not be
	tensors   []tensor
	keys      []key  // of the last record
	seen      []bool // by column: some tensor is bound to it
	unknown   int    // values of unknown columns that were not kept
	text      []byte // the last text that had to be built
	name      []byte // the last name that had to be built
	derived   Derived
	width     int           // columns of the table that a row without names has: all but the highest of the others
	encoded   int           // values that were encoded bytes
	folded    [folds]int    // values that were summed up
	sums      []float64     // to be told
	paused    int           // how much was read since the last Pause
	values    []float64     // of a column, side by side
	last      v2Tensor      // that was read
	envelopes [2]v2Envelope // of requests, and of answers
	// answer: a response. A request none of whose names is known lacks every column; a response may name its outputs as
	// it likes, and is then not readable.
	answer bool
	learn  Learner // nil: the table does not grow
}

// Features reads a request's rows into t: all of them, or none and an error.
func (p *Parser) Features(m Message, t Table) error {
	p.answer = false
	return p.message(m, t)
}

// Predictions reads a response's predictions into t: all of them, or none and an error.
func (p *Parser) Predictions(m Message, t Table) error {
	p.answer = true
	return p.message(m, t)
}

func (p *Parser) message(m Message, t Table) error {
	p.body, p.unknown, p.paused, p.encoded, p.folded, p.unboxed = m.Body, 0, 0, 0, [folds]int{}, false
	p.kind, p.derived, p.width = m.Kind, t.Derived(), t.Width()
	if p.derived.Classes != nil {
		p.width--
	}
	defer p.forget()
	if p.learn, _ = t.(Learner); p.learn != nil && m.Form == FormCSV && (m.Kind != MLflow || p.answer) {
		return ErrUnnamed // whether the first row holds names can't be told
	}
	if err := p.read(m, t); err != nil {
		return err
	}
	if len(p.tensors) == 0 { // the end of an answer, see grpcMessage
		t.Rows(0)
		return nil
	}
	n, err := p.bind(t)
	if err != nil {
		return err
	}
	p.tell(n, t)
	return nil
}

// forget lets go of the body and of memory that few bodies need.
func (p *Parser) forget() {
	clear(p.tensors)
	p.derived, p.last = Derived{}, v2Tensor{}
	clear(p.keys)
	p.body, p.learn, p.cells, p.tensors, p.keys, p.text = nil, nil, p.cells[:0], p.tensors[:0], p.keys[:0], p.text[:0]
	if cap(p.cells) > keepCells {
		p.cells = nil
	}
	if cap(p.text) > keepCells {
		p.text = nil
	}
}

// read reads a body into cells and tensors.
func (p *Parser) read(m Message, t Table) error {
	switch m.Form {
	case FormUnread:
		return ErrUnsupported
	case FormCSV:
		return p.csv(m.Kind, t)
	case FormGRPC, FormGRPCStream:
		return p.grpc(m.Form == FormGRPCStream)
	}
	switch m.Kind {
	case V1, TFServing:
		return p.v1(t)
	case V2:
		return p.v2(m)
	case MLflow, CSV:
		return p.mlflow(t)
	case Seldon:
		return p.seldon(t)
	}
	return ErrUnsupported
}

// breathe counts n bytes as read, and lets the caller do something else now and then.
func (p *Parser) breathe(n int) {
	if p.paused += n; p.paused >= pauseEvery {
		p.paused = 0
		if p.Pause != nil {
			p.Pause()
		}
	}
}

const pauseEvery = 8 << 10

func unparsable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnparsable, fmt.Sprintf(format, args...))
}
