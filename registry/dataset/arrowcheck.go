package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Bounds of the schema of an Arrow file, dictionaries and nested fields included.
const (
	maxArrowFields = 1 << 16
	maxArrowDepth  = 64
)

// Slots of tables in Arrow's Schema.fbs, Message.fbs and File.fbs.
const (
	messageHeader     = 8
	schemaFields      = 6
	schemaMetadata    = 8
	fieldType         = 10
	fieldChildren     = 14
	fieldMetadata     = 16
	unionTypeIDs      = 6 // at this place other types have one number, or none
	footerSchema      = 6
	footerDictionary  = 8
	footerRecords     = 10
	footerMetadata    = 12
	sizeOfBlock       = 24 // bytes
	sizeOfOffset      = 4
	sizeOfTypeID      = 4
	fieldTypeKind     = 8
	kindUnion         = 14
	continuation      = 0xFFFFFFFF
	arrowFileTail     = 4 + len(magicArrow)
	shortestArrowFile = 2*8 + arrowFileTail
)

var errArrowSchema = errors.New("its schema is broken: a list is longer than the file, or nests too deeply")

// checkArrow looks at the lengths in the schema of an Arrow file or stream: the
// library makes room for what they say before it finds that there is less.
func checkArrow(f File, size int64, stream bool) error {
	if stream {
		return checkStream(f, size)
	}
	if size < int64(shortestArrowFile) {
		return io.ErrUnexpectedEOF
	}
	tail := make([]byte, arrowFileTail)
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return err
	}
	footer, err := arrowBytes(f, size-int64(len(tail))-int64(int32(binary.LittleEndian.Uint32(tail))), int64(int32(binary.LittleEndian.Uint32(tail))), size)
	if err != nil {
		return err
	}
	c := &arrowChecker{b: footer}
	t := c.root()
	c.list(t, footerDictionary, sizeOfBlock)
	c.list(t, footerRecords, sizeOfBlock)
	c.list(t, footerMetadata, sizeOfOffset)
	c.schema(c.table(t, footerSchema))
	return c.err
}

func checkStream(f File, size int64) error {
	head := make([]byte, 8)
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	at, n := int64(4), binary.LittleEndian.Uint32(head)
	if n == continuation {
		at, n = 8, binary.LittleEndian.Uint32(head[4:])
	}
	message, err := arrowBytes(f, at, int64(int32(n)), size)
	if err != nil {
		return err
	}
	c := &arrowChecker{b: message}
	c.schema(c.table(c.root(), messageHeader))
	return c.err
}

// arrowBytes are n bytes of a file of a size.
func arrowBytes(f File, at, n, size int64) ([]byte, error) {
	if n < 8 || n > maxArrowMetadata || at < 0 || at+n > size {
		return nil, fmt.Errorf("%d bytes of metadata at byte %d of %d", n, at, size)
	}
	b := make([]byte, n)
	_, err := f.ReadAt(b, at)
	return b, err
}

// arrowChecker walks the tables of a flatbuffer. Reading beyond its end panics,
// which guarded makes an error.
type arrowChecker struct {
	b      []byte
	fields int
	err    error
}

func (c *arrowChecker) root() flatbuffers.Table {
	return flatbuffers.Table{Bytes: c.b, Pos: flatbuffers.GetUOffsetT(c.b)}
}

// table in a slot; nil without one.
func (c *arrowChecker) table(t flatbuffers.Table, slot flatbuffers.VOffsetT) *flatbuffers.Table {
	o := flatbuffers.UOffsetT(t.Offset(slot))
	if o == 0 {
		return nil
	}
	return &flatbuffers.Table{Bytes: c.b, Pos: t.Indirect(t.Pos + o)}
}

// list checks a list of elements of a size, and returns where it begins and how
// many it has.
func (c *arrowChecker) list(t flatbuffers.Table, slot flatbuffers.VOffsetT, size int) (begin flatbuffers.UOffsetT, n int) {
	o := flatbuffers.UOffsetT(t.Offset(slot))
	if o == 0 || c.err != nil {
		return 0, 0
	}
	begin, n = t.Vector(o), t.VectorLen(o)
	if n < 0 || int64(begin)+int64(n)*int64(size) > int64(len(c.b)) {
		c.err = errArrowSchema
		return 0, 0
	}
	return begin, n
}

func (c *arrowChecker) schema(t *flatbuffers.Table) {
	if t == nil {
		c.err = errArrowSchema
		return
	}
	c.list(*t, schemaMetadata, sizeOfOffset)
	c.each(*t, schemaFields, maxArrowDepth)
}

// each checks the fields of a list, and those in them.
func (c *arrowChecker) each(t flatbuffers.Table, slot flatbuffers.VOffsetT, depth int) {
	begin, n := c.list(t, slot, sizeOfOffset)
	if c.fields += n; c.fields > maxArrowFields || depth == 0 && n > 0 {
		c.err = errArrowSchema
	}
	for i := range n {
		if c.err != nil {
			return
		}
		field := flatbuffers.Table{Bytes: c.b, Pos: t.Indirect(begin + flatbuffers.UOffsetT(i*sizeOfOffset))}
		c.list(field, fieldMetadata, sizeOfOffset)
		if o := flatbuffers.UOffsetT(field.Offset(fieldTypeKind)); o != 0 && field.GetByte(field.Pos+o) == kindUnion {
			if union := c.table(field, fieldType); union != nil {
				c.list(*union, unionTypeIDs, sizeOfTypeID)
			}
		}
		c.each(field, fieldChildren, depth-1)
	}
}
