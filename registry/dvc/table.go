package dvc

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Precision is how many digits after the point DVC rounds metrics to.
const Precision = 5

// TableOptions say how a comparison is printed.
type TableOptions struct {
	// Old and New head the columns of the two versions.
	Old, New string
	// Precision of floats; 0 is 5, which is DVC's.
	Precision int
	// NoPath leaves out the column with the files.
	NoPath bool
}

// MetricsTable is what "dvc metrics diff --md" prints for these changes, with
// the blank line at its end.
func MetricsTable(changes []Change, o TableOptions) string {
	digits := o.Precision
	if digits == 0 {
		digits = Precision
	}
	rows := [][]string{{"Path", "Metric", o.Old, o.New, "Change"}}
	for _, c := range changes {
		rows = append(rows, []string{c.File, c.Key, rounded(c.Old, digits), rounded(c.New, digits), rounded(c.Diff, digits)})
	}
	return table(rows, o.NoPath)
}

// ParamsTable is what "dvc params diff --md" prints for these changes, with the
// blank line at its end.
func ParamsTable(changes []Change, o TableOptions) string {
	rows := [][]string{{"Path", "Param", o.Old, o.New}}
	for _, c := range changes {
		rows = append(rows, []string{c.File, c.Key, shown(c.Old), shown(c.New)})
	}
	return table(rows, o.NoPath)
}

func shown(v Value) string {
	if v == nil {
		return "-"
	}
	return Str(v)
}

func rounded(v Value, digits int) string {
	if f, ok := v.(float64); ok {
		v = round(f, digits)
	}
	return shown(v)
}

// table writes rows, the first of which is the head, as python-tabulate does in
// its format "github". A cell of several lines takes several lines.
func table(rows [][]string, noPath bool) string {
	if noPath {
		for i := range rows {
			rows[i] = rows[i][1:]
		}
	}
	widths := make([]int, len(rows[0]))
	cells := make([][][]string, len(rows)) // row, column, line
	for r, row := range rows {
		cells[r] = make([][]string, len(row))
		for c, text := range row {
			if r > 0 {
				text = strings.TrimSpace(text)
			}
			cells[r][c] = strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
			for _, line := range cells[r][c] {
				w := columns(line)
				if r == 0 {
					w += 2
				}
				widths[c] = max(widths[c], w)
			}
		}
	}
	var b strings.Builder
	for r, row := range cells {
		writeRow(&b, row, widths)
		if r == 0 {
			for _, w := range widths {
				b.WriteString("|" + strings.Repeat("-", w+2))
			}
			b.WriteString("|\n")
		}
	}
	b.WriteByte('\n')
	return b.String()
}

func writeRow(b *strings.Builder, row [][]string, widths []int) {
	height := 0
	for _, cell := range row {
		height = max(height, len(cell))
	}
	for line := range height {
		for c, cell := range row {
			text := ""
			if line < len(cell) {
				text = cell[line]
			}
			b.WriteString("| " + text + strings.Repeat(" ", max(0, widths[c]-columns(text))+1))
		}
		b.WriteString("|\n")
	}
}

// columns is how wide a text is on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	k := width.LookupRune(r).Kind()
	return k == width.EastAsianWide || k == width.EastAsianFullwidth
}
