package protocol

import (
	"bytes"
	"strconv"
)

// csv reads rows of comma-separated values (RFC 4180; empty lines are skipped). MLflow's first row is a header. Others
// may have one: a first row of nothing but names of columns. Without it, rows are in the profile's order; a first row
// of text over numbers is neither for certain.
func (p *Parser) csv(k Kind, t Table) error {
	b := p.body
	i := len(b) - len(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
	width, rows, first := 0, 0, 0
	for {
		for i < len(b) && (b[i] == '\n' || b[i] == '\r') {
			i++
			p.breathe(1)
		}
		if i == len(b) {
			break
		}
		end, cells, err := p.csvRow(i)
		switch {
		case err != nil:
			return err
		case cells > maxTensors:
			return unparsable("more than %d columns", maxTensors)
		case rows > 0 && cells != width:
			return unparsable("row %d has %d values, the first %d", rows+1, cells, width)
		}
		if rows++; rows == 1 {
			width, first = cells, i
		}
		i = end
	}
	if rows == 0 {
		return unparsable("no rows")
	}
	if names, header := p.csvHeader(first, t); header || k == MLflow && !p.answer {
		return p.frame(names, grid{at: width, rows: rows - 1, width: width})
	}
	if rows > 1 && !p.anyNumber(p.cells[:width]) && p.anyNumber(p.cells[width:2*width]) {
		return unparsable("a first row that may hold names, but not those of the profile")
	}
	return p.addGrid(nil, grid{rows: rows, width: width})
}

// csvRow reads the row at a byte of the body into cells, and returns where the next one begins and how many there are.
func (p *Parser) csvRow(i int) (end, n int, err error) {
	b := p.body
	for {
		start := i
		cell, end := csvNumber(b, i)
		if i = end; end < 0 {
			if i = csvEnd(b, start); i < 0 {
				return 0, 0, unparsable("a quoted value at byte %d does not end, or goes on behind its quote", start)
			}
			if cell = box(tagCSV, start); i == start {
				cell = missing
			}
		}
		p.cells = append(p.cells, cell)
		n++
		p.breathe(i - start + 1)
		if err := p.room(0); err != nil {
			return 0, 0, err
		}
		if i == len(b) || b[i] != ',' {
			return i, n, nil
		}
		i++
	}
}

// csvEnd returns where the value at b[i] ends; −1 where it does not.
func csvEnd(b []byte, i int) int {
	if i == len(b) || b[i] != '"' {
		for i < len(b) && b[i] != ',' && b[i] != '\n' && b[i] != '\r' {
			i++
		}
		return i
	}
	for i++; ; i += 2 {
		k := bytes.IndexByte(b[i:], '"')
		if k < 0 {
			return -1
		}
		i += k
		if i+1 == len(b) || b[i+1] == ',' || b[i+1] == '\n' || b[i+1] == '\r' {
			return i + 1
		}
		if b[i+1] != '"' {
			return -1
		}
	}
}

// csvNumber reads a number whose shortest decimal text is the one that is written, and returns where it ends; −1 where
// there is none. Other numbers stay text, so that a category of digits keeps what is written.
func csvNumber(b []byte, i int) (v float64, end int) {
	var room [24]byte
	from, at := b, i
	if len(b)-i < 9 { // copied, as short looks at more
		copy(room[:], b[i:])
		from, at = room[:], 0
	}
	v, end = short(from, at)
	if end == 0 {
		return 0, -1
	}
	end += i - at
	if end < len(b) && b[end] != ',' && b[end] != '\n' && b[end] != '\r' {
		return 0, -1
	}
	if b[end-1] == '0' && bytes.IndexByte(b[i:end], '.') >= 0 {
		return 0, -1
	}
	return v, end
}

// csvText is the text of the cell at a byte of the body.
func (p *Parser) csvText(at int) []byte {
	text := p.body[at:csvEnd(p.body, at)]
	if len(text) == 0 || text[0] != '"' {
		return text
	}
	text = text[1 : len(text)-1]
	if bytes.IndexByte(text, '"') < 0 {
		return text
	}
	p.text = p.text[:0]
	for i := 0; i < len(text); i++ {
		if p.text = append(p.text, text[i]); text[i] == '"' {
			i++
		}
	}
	return p.text
}

// anyNumber reports whether one of the cells spells a number, or is empty.
func (p *Parser) anyNumber(cells []float64) bool {
	for _, cell := range cells {
		v := p.value(cell)
		if _, err := strconv.ParseFloat(string(bytes.TrimSpace(v.Text)), 64); v.Type != Text || err == nil {
			return true
		}
	}
	return false
}

// csvHeader is the text of the row at a byte of the body, and whether it holds names of columns only.
func (p *Parser) csvHeader(i int, t Table) (names [][]byte, header bool) {
	header = true
	for {
		name := bytes.Clone(p.csvText(i))
		names = append(names, name)
		header = header && t.Lookup(name) >= 0
		if i = csvEnd(p.body, i); i == len(p.body) || p.body[i] != ',' {
			return names, header
		}
		i++
	}
}
