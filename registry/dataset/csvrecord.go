package dataset

import "bytes"

// Why a record is bad, in the words of encoding/csv.
const (
	bareQuote = `bare " in non-quoted field`
	openQuote = `extraneous or missing " in quoted-field`
)

// record reads the record that begins at data[at], and is whole unless data ends
// within it, exactly as encoding/csv does: fields are of data, or of own where
// quotes had to be taken out. lines are those that it takes; a broken one ends
// with the line where it was found to be broken. No fields and no reason: an
// empty line.
func record(data []byte, at int, fields [][]byte, own []byte) (_ [][]byte, _ []byte, next, lines int, reason string) {
	fields = fields[:0]
	line, next := oneLine(data, at)
	lines = 1
	if len(line) == 0 {
		return fields, own, next, lines, ""
	}
	for {
		if len(line) == 0 || line[0] != '"' {
			i := bytes.IndexByte(line, ',')
			field := line
			if i >= 0 {
				field = line[:i]
			}
			if bytes.IndexByte(field, '"') >= 0 {
				return fields, own, next, lines, bareQuote
			}
			fields = append(fields, field)
			if i < 0 {
				return fields, own, next, lines, ""
			}
			line = line[i+1:]
			continue
		}
		line = line[1:]
		begin := len(own)
		for {
			i := bytes.IndexByte(line, '"')
			if i < 0 {
				own = append(own, line...)
				if next >= len(data) {
					return fields, own, next, lines, openQuote
				}
				own = append(own, '\n')
				line, next = oneLine(data, next)
				if len(line) > 0 || data[next-1] == '\n' { // a mere "\r" at the end is no line
					lines++
				}
				continue
			}
			own = append(own, line[:i]...)
			line = line[i+1:]
			if len(line) == 0 || line[0] != '"' {
				break
			}
			own = append(own, '"')
			line = line[1:]
		}
		fields = append(fields, own[begin:len(own):len(own)])
		if len(line) == 0 {
			return fields, own, next, lines, ""
		}
		if line[0] != ',' {
			return fields, own, next, lines, openQuote
		}
		line = line[1:]
	}
}

// oneLine is the line that begins at data[at], without its end, and where the
// next one begins.
func oneLine(data []byte, at int) (line []byte, next int) {
	line = data[at:]
	next = len(data)
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line, next = line[:i], at+i+1
	}
	return bytes.TrimSuffix(line, []byte("\r")), next
}

// recordsEnd is where the last whole record of data ends, which begins with one.
func recordsEnd(data []byte) int {
	start, at := 0, 0 // of the record at hand; what lies before at is outside of quotes
	for {
		q := bytes.IndexByte(data[at:], '"')
		plain := data[at:]
		if q >= 0 {
			plain = plain[:q]
		}
		if i := bytes.LastIndexByte(plain, '\n'); i >= 0 {
			start = at + i + 1
		}
		if q < 0 {
			return start
		}
		q += at
		at = q
		if q == start || data[q-1] == ',' {
			if at = behindQuotes(data, q+1); at < 0 || at == len(data) {
				return start
			}
			if c := data[at]; c == ',' || c == '\n' || c == '\r' && at+1 < len(data) && data[at+1] == '\n' {
				continue
			}
		}
		// Broken: the rest of the line does not count.
		end := bytes.IndexByte(data[at:], '\n')
		if end < 0 {
			return start
		}
		at += end + 1
		start = at
	}
}

// behindQuotes is the first byte behind a quoted field that goes on at data[at];
// −1: it does not end, as far as one can see.
func behindQuotes(data []byte, at int) int {
	for {
		q := bytes.IndexByte(data[at:], '"')
		if q < 0 || at+q+1 == len(data) {
			return -1
		}
		at += q + 1
		if data[at] != '"' {
			return at
		}
		at++
	}
}
