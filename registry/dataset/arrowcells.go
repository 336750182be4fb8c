package dataset

import (
	"fmt"
	"math"
	"strconv"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"

	"github.com/leeway-dev/leeway/registry/profile"
)

// modeOf is how a column of a type is read, where nothing else is said; skip:
// it can't be.
func modeOf(t arrow.DataType) mode {
	switch t := t.(type) {
	case arrow.ExtensionType:
		return modeOf(t.StorageType())
	case *arrow.DictionaryType:
		return modeOf(t.ValueType)
	case arrow.DecimalType, *arrow.Float16Type:
		return number
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType, *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BooleanType, *arrow.NullType:
		return category
	case arrow.ListLikeType:
		if _, isMap := t.(*arrow.MapType); !isMap && modeOf(t.Elem()) == number {
			return vector
		}
		return skip
	}
	if arrow.IsInteger(t.ID()) || arrow.IsFloating(t.ID()) {
		return number
	}
	return skip
}

func isInstant(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.TIMESTAMP, arrow.DATE32, arrow.DATE64:
		return true
	}
	return false
}

// readable refuses columns of types that make no sense as a feature.
func (p *plan) readable(schema *arrow.Schema) error {
	for i, f := range schema.Fields() {
		c := p.columns[i]
		switch {
		case c.mode == skip || modeOf(f.Type) == number || modeOf(f.Type) == category:
		case isInstant(f.Type) && (c.mode == instant || c.mode == category && c.told):
		case isInstant(f.Type):
			return fmt.Errorf("column %q: holds times (%s): name it with --time, or leave it out with --ignore", c.name, f.Type)
		case modeOf(f.Type) == vector && c.mode != instant && !c.told:
		default:
			return fmt.Errorf("column %q: holds %s, which can't be described: leave it out with --ignore", c.name, f.Type)
		}
	}
	return nil
}

// addRecord adds the rows of a record batch. The first one is row, and at says
// what of.
func (b *batch) addRecord(rec arrow.RecordBatch, file int, name, at string, row int64) error {
	rows := int(rec.NumRows())
	columns := make([]arrow.Array, len(b.plan.slots))
	for k, field := range rec.Schema().Fields() {
		i, ok := b.plan.byName[field.Name]
		if !ok || b.plan.columns[i].slot < 0 {
			continue
		}
		a := rec.Column(k)
		if a.Len() != rows {
			return fmt.Errorf("column %q has %d rows of %d", field.Name, a.Len(), rows)
		}
		for {
			e, ok := a.(array.ExtensionArray)
			if !ok {
				break
			}
			a = e.Storage()
		}
		columns[b.plan.columns[i].slot] = a
	}
	for slot, i := range b.plan.slots {
		if columns[slot] == nil {
			return fmt.Errorf("column %q is missing", b.plan.columns[i].name)
		}
	}
	if b.fastColumns(columns, rows) {
		return nil
	}
	for k := range rows {
		for slot := range columns {
			b.row[slot] = cellAt(columns[slot], k)
		}
		if reason := b.pushFinite(); reason != "" {
			b.report.Bad++
			number := row&(1<<32-1) + int64(k)
			b.report.add(BadRow{File: name, At: at + " " + strconv.FormatInt(number, 10), Reason: reason, file: file, at: row + int64(k)})
		}
	}
	return nil
}

// pushFinite is push for typed cells, where an infinite number is no text.
func (b *batch) pushFinite() (reason string) {
	for slot, i := range b.plan.slots {
		c := &b.row[slot]
		if c.kind == isNumber && !finite(c.number) {
			return fmt.Sprintf("column %q: %v is not a finite number", b.plan.columns[i].name, c.number)
		}
		if c.kind == isList {
			for _, v := range c.vector {
				if math.IsInf(v, 0) {
					return fmt.Sprintf("column %q: %v is not a finite number", b.plan.columns[i].name, v)
				}
			}
		}
	}
	return b.push()
}

// fastColumns adds all rows column by column, if there is nothing special with
// any of them; else it adds nothing.
func (b *batch) fastColumns(columns []arrow.Array, rows int) bool {
	for slot, i := range b.plan.slots {
		into := &b.cells[slot]
		ok := false
		switch b.plan.columns[i].mode {
		case number:
			into.numbers, ok = appendNumbers(into.numbers, columns[slot])
		case category:
			into.texts, ok = appendTexts(into.texts, columns[slot])
		}
		if !ok {
			b.truncate()
			return false
		}
	}
	for slot, i := range b.plan.slots {
		if a := columns[slot]; a.NullN() < a.Len() {
			b.seen[i] |= sawNumber
			if b.plan.columns[i].mode == category {
				b.seen[i] = b.seen[i]&^sawNumber | sawText
			}
		}
	}
	b.rows += rows
	return true
}

// truncate forgets the cells of rows that are not whole.
func (b *batch) truncate() {
	for slot := range b.cells {
		c := &b.cells[slot]
		c.numbers = c.numbers[:min(len(c.numbers), b.rows)]
		c.texts = c.texts[:min(len(c.texts), b.rows)]
	}
}

// appendNumbers adds the numbers of a column; not ok: they are of another type,
// or one is infinite.
func appendNumbers(into []float64, a arrow.Array) ([]float64, bool) {
	begin := len(into)
	switch a := a.(type) {
	case *array.Float64:
		into = append(into, a.Float64Values()...)
	case *array.Float32:
		into = appendConverted(into, a.Float32Values())
	case *array.Int64:
		into = appendConverted(into, a.Int64Values())
	case *array.Int32:
		into = appendConverted(into, a.Int32Values())
	case *array.Int16:
		into = appendConverted(into, a.Int16Values())
	case *array.Int8:
		into = appendConverted(into, a.Int8Values())
	case *array.Uint64:
		into = appendConverted(into, a.Uint64Values())
	case *array.Uint32:
		into = appendConverted(into, a.Uint32Values())
	case *array.Uint16:
		into = appendConverted(into, a.Uint16Values())
	case *array.Uint8:
		into = appendConverted(into, a.Uint8Values())
	default:
		return into, false
	}
	added := into[begin:]
	if a.NullN() > 0 {
		for i := range added {
			if a.IsNull(i) {
				added[i] = math.NaN()
			}
		}
	}
	for _, v := range added {
		if v-v != 0 && v == v {
			return into, false
		}
	}
	return into, true
}

func appendConverted[T float32 | int64 | int32 | int16 | int8 | uint64 | uint32 | uint16 | uint8](into []float64, values []T) []float64 {
	for _, v := range values {
		into = append(into, float64(v))
	}
	return into
}

// appendTexts adds the text of a column; not ok: it has none.
func appendTexts(into [][]byte, a arrow.Array) ([][]byte, bool) {
	var at func(i int) []byte
	switch a := a.(type) {
	case *array.String:
		at = func(i int) []byte { return bytesOf(a.Value(i)) }
	case *array.LargeString:
		at = func(i int) []byte { return bytesOf(a.Value(i)) }
	case *array.StringView:
		at = func(i int) []byte { return bytesOf(a.Value(i)) }
	case *array.Dictionary:
		values, ok := appendTexts(nil, a.Dictionary())
		if !ok {
			return into, false
		}
		at = func(i int) []byte { return values[a.GetValueIndex(i)] }
	default:
		return into, false
	}
	for i := range a.Len() {
		var text []byte
		if a.IsValid(i) {
			if text = at(i); missing(text) {
				text = nil
			}
		}
		into = append(into, text)
	}
	return into, true
}

// bytesOf is the bytes of a string, which nobody changes, without a copy.
func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// cellAt is one value of a column.
func cellAt(a arrow.Array, i int) cell {
	if a.IsNull(i) {
		return cell{}
	}
	switch a := a.(type) {
	case array.ExtensionArray:
		return cellAt(a.Storage(), i)
	case *array.Dictionary:
		return cellAt(a.Dictionary(), a.GetValueIndex(i))
	case *array.Boolean:
		return cell{kind: isText, text: strconv.AppendBool(nil, a.Value(i))}
	case *array.String:
		return textCell([]byte(a.Value(i)))
	case *array.LargeString:
		return textCell([]byte(a.Value(i)))
	case *array.StringView:
		return textCell([]byte(a.Value(i)))
	case *array.Binary:
		return textCell(a.Value(i))
	case *array.LargeBinary:
		return textCell(a.Value(i))
	case *array.Timestamp:
		unit := a.DataType().(*arrow.TimestampType).Unit
		return timeCell(a.Value(i).ToTime(unit))
	case *array.Date32:
		return timeCell(a.Value(i).ToTime())
	case *array.Date64:
		return timeCell(a.Value(i).ToTime())
	case array.ListLike:
		from, to := a.ValueOffsets(i)
		vector := make([]float64, 0, to-from)
		for k := from; k < to; k++ {
			vector = append(vector, numberAt(a.ListValues(), int(k)))
		}
		return cell{kind: isList, vector: vector}
	}
	v := numberAt(a, i)
	if v != v {
		return cell{}
	}
	return cell{kind: isNumber, number: v}
}

func textCell(text []byte) cell {
	if missing(text) {
		return cell{}
	}
	return cell{kind: isText, text: text}
}

func timeCell(at time.Time) cell {
	return cell{kind: isTime, at: at.UTC(), text: at.UTC().AppendFormat(nil, time.RFC3339Nano)}
}

// numberAt is a value of a column of numbers; NaN where there is none.
func numberAt(a arrow.Array, i int) float64 {
	if a.IsNull(i) {
		return math.NaN()
	}
	switch a := a.(type) {
	case array.ExtensionArray:
		return numberAt(a.Storage(), i)
	case *array.Dictionary:
		return numberAt(a.Dictionary(), a.GetValueIndex(i))
	case *array.Float64:
		return a.Value(i)
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Float16:
		return float64(float16.Num(a.Value(i)).Float32())
	case *array.Int64:
		return float64(a.Value(i))
	case *array.Int32:
		return float64(a.Value(i))
	case *array.Int16:
		return float64(a.Value(i))
	case *array.Int8:
		return float64(a.Value(i))
	case *array.Uint64:
		return float64(a.Value(i))
	case *array.Uint32:
		return float64(a.Value(i))
	case *array.Uint16:
		return float64(a.Value(i))
	case *array.Uint8:
		return float64(a.Value(i))
	}
	// Decimals, as they are written: the nearest float64.
	return profile.ParseNumber(a.ValueStr(i))
}
