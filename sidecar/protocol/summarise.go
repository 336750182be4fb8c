package protocol

import (
	"bytes"
	"encoding/base64"
	"math"
	"unicode/utf8"

	"github.com/leeway-dev/leeway/registry/profile/summary"
)

// DefaultMaxFeatures is Parser.MaxFeatures where that is 0.
const DefaultMaxFeatures = 500

// Vector is what a Learner calls the only tensor of a request, of more than MaxFeatures values a row, without a name.
const Vector = "vector"

// Fold is how values are told by less than there are.
type Fold uint8

// The ways of folding.
const (
	ToVector Fold = iota // into norm and projections
	ToSize               // into their number, or that of their bytes
	folds
)

// target is where the summary of a value goes: columns of the table by those of package summary; −1 where there is none.
type target struct {
	columns [summary.Columns]int
	vector  bool // some column is of norm or projections
	own     int  // how many columns there are
}

// target finds the columns that sum up the values of a name; nil where there are none.
func (p *Parser) target(name []byte, t Table) *target {
	if !p.summarised(name) {
		return nil
	}
	d := new(target)
	for i := range d.columns {
		if d.columns[i] = p.column(p.suffixed(name, i), t); d.columns[i] >= 0 {
			d.own++
			d.vector = d.vector || i < summary.Size
		}
	}
	if d.own == 0 {
		return nil
	}
	return d
}

func (p *Parser) summarised(name []byte) bool {
	for _, s := range p.derived.Summarised {
		if string(name) == s {
			return true
		}
	}
	return false
}

// suffixed is the name of a column that sums up the values of a name, until the next one is asked for.
func (p *Parser) suffixed(name []byte, column int) []byte {
	p.name = append(append(p.name[:0], name...), summary.Suffix(column)...)
	return p.name
}

// bindSummary gives a tensor the columns that sum up the values of its name, if there are any.
func (p *Parser) bindSummary(x *tensor, name []byte, t Table) (bool, error) {
	d := p.target(name, t)
	if d == nil {
		return false, nil
	}
	for _, column := range d.columns {
		if column < 0 {
			continue
		}
		if p.seen[column] {
			return false, unparsable("column %.64q twice", name)
		}
		p.seen[column] = true
	}
	x.sum = d
	return true, nil
}

// bindOnly binds the only tensor of a body to the only value that the table sums up, if it can't be anything else: it
// has more values than there are features, or the table has no other columns. As many values as the table has columns
// are a row of it.
func (p *Parser) bindOnly(x *tensor, t Table) (bool, error) {
	if len(p.derived.Summarised) != 1 || x.records || x.width == p.width && !x.opaque || x.width < 2 && !x.opaque {
		return false, nil
	}
	name := []byte(p.derived.Summarised[0])
	if d := p.target(name, t); d == nil || x.width <= p.maxFeatures() && d.own != p.width {
		return false, nil
	}
	return p.bindSummary(x, name, t)
}

func (p *Parser) maxFeatures() int {
	if p.MaxFeatures == 0 {
		return DefaultMaxFeatures
	}
	return p.MaxFeatures
}

// sumRows is how many summaries are told at once; with empty vectors they cost about what 8 KiB of a body do.
const sumRows = 64

// tellSummary tells the summaries of a tensor's rows.
func (p *Parser) tellSummary(x *tensor, n int, t Table) {
	for row := 0; row < n; row += sumRows {
		p.sums = p.sums[:0]
		for i := row; i < min(n, row+sumRows); i++ {
			sum := p.summarise(x.at+i*x.stride, x.width, x.sum)
			p.sums = append(p.sums, sum[:]...)
		}
		for i, column := range x.sum.columns {
			if column >= 0 {
				t.Numbers(column, p.sums[i:], summary.Columns)
			}
		}
		p.breathe(pauseEvery)
	}
}

// summarise sums up the values of a row, so many cells.
func (p *Parser) summarise(at, width int, d *target) (sum [summary.Columns]float64) {
	cells, end := p.cells[at:at+width], len(p.cells)
	size := float64(width)
	if width == 1 {
		cells, size = p.alone(cells, d)
	}
	if d.vector {
		p.folded[ToVector] += len(cells)
	} else {
		p.folded[ToSize] += width
	}
	var v summary.Vector
	for d.vector && len(cells) > 0 {
		piece := cells[:min(len(cells), tellEvery)]
		p.numbers(piece)
		v.Add(piece)
		cells = cells[len(piece):]
		p.breathe(len(piece) * pauseEvery / tellEvery)
	}
	p.cells = p.cells[:end]
	v.Into(sum[:])
	sum[summary.Size] = size
	return sum
}

// alone opens a row's only cell, which may be text: that has a size, and may spell a vector, as in CSV.
func (p *Parser) alone(cell []float64, d *target) (cells []float64, size float64) {
	if text, ok := p.encodedText(cell[0]); ok && !d.vector {
		return cell, float64(base64.RawStdEncoding.DecodedLen(len(bytes.TrimRight(text, "="))))
	}
	v := p.value(cell[0])
	switch v.Type {
	case Missing:
		return cell, missing
	case Text:
		size = float64(len(v.Text))
		if d.vector {
			if values, ok := p.spelled(v.Text); ok {
				return values, float64(len(values))
			}
		}
		return cell, size
	}
	return cell, 1
}

// spelled reads the vector that a text spells. Its values are cells behind all others.
func (p *Parser) spelled(text []byte) ([]float64, bool) {
	s, at := scanner{b: text, next: pauseEvery, p: p}, len(p.cells)
	g, err := s.array()
	if err != nil || s.end() != nil || g.rank > 0 {
		p.cells = p.cells[:at]
		return nil, false
	}
	cells := p.cells[at:]
	for i, cell := range cells {
		if cell != cell {
			cells[i] = missing // text in it begins at a byte of the text, not of the body
		}
	}
	return cells, true
}

// numbers makes numbers of cells: text is the number that it spells, and else missing.
func (p *Parser) numbers(cells []float64) {
	for i, cell := range cells {
		if cell != cell && boxed(cell) {
			cells[i] = p.number(cell)
		}
	}
}

// learnTensor tells a Learner of the name of a tensor that it does not know.
func (p *Parser) learnTensor(x *tensor, n int) {
	if len(x.name) == 0 || n == 0 {
		return
	}
	p.learnName(x.name, n, x.width, x.rank > 2 || p.bytes(x))
}

// learnName tells a Learner of a name: of the columns that sum up its values, where there are several a row, or where
// only their size matters, as of images and audio.
func (p *Parser) learnName(name []byte, n, width int, sized bool) {
	from, to := summary.Norm, summary.Size
	switch {
	case sized:
		from, to = summary.Size, summary.Columns
	case width == 0:
		return
	case width == 1:
		p.learn.Learn(name, n)
		return
	}
	for i := from; i < to; i++ {
		p.learn.Learn(p.suffixed(name, i), n)
	}
}

// bytes reports whether a tensor holds bytes rather than text.
func (p *Parser) bytes(x *tensor) bool {
	if x.encoded || !x.opaque || x.width != 1 {
		return x.encoded
	}
	v := p.value(p.cells[x.at])
	return v.Type == Text && !utf8.Valid(v.Text)
}

// tellHighest tells the highest class probability of each row, missing where one of them is.
func (p *Parser) tellHighest(n int, t Table) {
	from := p.classes()
	atOnce := max(tellEvery/max(len(from), 1), 1)
	for row := 0; row < n; row += atOnce {
		p.sums = p.sums[:0]
		for i := row; i < min(n, row+atOnce); i++ {
			most := math.Inf(-1)
			for _, x := range from {
				most = max(most, p.number(p.cells[x.at+i*x.stride]))
			}
			if len(from) < len(p.derived.Classes) {
				most = missing
			}
			p.sums = append(p.sums, most)
		}
		t.Numbers(p.width, p.sums, 1)
		p.breathe(len(p.sums) * max(len(from), 1) * pauseEvery / tellEvery)
	}
}

// classes are tensors that begin at the cells of a class each: those that the body has.
func (p *Parser) classes() (list []tensor) {
	columns := make([]tensor, p.width)
	for i := range p.tensors {
		x := &p.tensors[i]
		if x.sum != nil || x.column < 0 {
			continue
		}
		for j := range x.width {
			columns[x.column+j] = tensor{at: x.at + j, stride: x.stride, width: 1}
		}
	}
	for _, column := range p.derived.Classes {
		if columns[column].width > 0 {
			list = append(list, columns[column])
		}
	}
	return list
}
