package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leeway-dev/leeway/agent/backtest"
)

// How curves are drawn. Each is two rows of text: the lower one is full where
// the value is at the limit, and the upper one is what is beyond, on a scale of
// logarithms that ends at eight times the limit. So the limit is the same line
// in every picture, between the rows. A bar below says when the alert fired.
const (
	blocks       = " ▁▂▃▄▅▆▇█"
	limitLine    = '_'
	firingBar    = '━'
	fullAbove    = 8  // times the limit
	maxGutter    = 22 // for names
	peakWidth    = 16
	leastColumns = 20
	maxPictures  = 16 // of one alert; the JSON has the others
)

// picture is all curves of one alert of one version, under one another.
type picture struct {
	w      io.Writer
	paint  func(code, text string) string // no colours: returns text
	r      *backtest.Result
	gutter int
	width  int // of the curves
}

func newPicture(w io.Writer, r *backtest.Result, width int, colour bool) *picture {
	p := &picture{w: w, r: r, paint: func(_, text string) string { return text }}
	if colour {
		p.paint = func(code, text string) string { return "\x1b[" + code + "m" + text + "\x1b[0m" }
	}
	for _, c := range r.Curves {
		p.gutter = min(max(p.gutter, utf8.RuneCountInString(curveName(c))), maxGutter)
	}
	p.width = max(width-p.gutter-peakWidth-4, leastColumns)
	return p
}

// draw draws all curves.
func (p *picture) draw() {
	groups := map[string][]backtest.Curve{}
	var order []string
	for _, c := range p.r.Curves {
		key := curveTitle(c)
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], c)
	}
	for _, title := range order {
		fmt.Fprintf(p.w, "\n%s\n", p.paint("1", title))
		list := groups[title]
		slices.SortStableFunc(list, func(a, b backtest.Curve) int { return cmp.Compare(curveName(a), curveName(b)) })
		for _, c := range list[:min(len(list), maxPictures)] {
			p.curve(c)
		}
		if more := len(list) - maxPictures; more > 0 {
			fmt.Fprintf(p.w, "and %d more; -o json has them\n", more)
		}
		p.axis()
	}
}

func curveTitle(c backtest.Curve) string {
	title := c.Alert
	for _, part := range []string{c.Labels["leeway_clock"], c.Labels["leeway_window"]} {
		if part != "" {
			title += ", " + part
		}
	}
	title += fmt.Sprintf(": %s version %s", c.Labels["model_name"], c.Labels["model_version"])
	if ns := c.Labels["namespace"]; ns != "" {
		title += " in " + ns
	}
	return title
}

func curveName(c backtest.Curve) string {
	for _, name := range []string{"feature", "output", "code"} {
		if s := c.Labels[name]; s != "" {
			return s
		}
	}
	return "value"
}

// ratios are value over limit for each column of the picture, the most extreme
// of its time; NaN where nothing is known. peak is the highest.
func (p *picture) ratios(c backtest.Curve) (ratios []float64, peak backtest.Point) {
	ratios = make([]float64, p.width)
	for i := range ratios {
		ratios[i] = math.NaN()
	}
	total := p.r.To.Sub(c.From).Seconds()
	highest := math.Inf(-1)
	for i, point := range c.Points {
		if point.Value == nil || point.Limit == nil {
			continue
		}
		ratio := *point.Value / *point.Limit
		if c.Below {
			ratio = 1 / ratio
		}
		column := min(int(float64(i)*c.StepSeconds/total*float64(p.width)), p.width-1)
		if !(ratios[column] >= ratio) {
			ratios[column] = ratio
		}
		if ratio > highest {
			highest, peak = ratio, point
		}
	}
	// With fewer points than columns a point holds until the next.
	hold := int(math.Ceil(c.StepSeconds / total * float64(p.width)))
	last, age := math.NaN(), 0
	for i, ratio := range ratios {
		if !math.IsNaN(ratio) {
			last, age = ratio, 0
		} else if age++; age < hold {
			ratios[i] = last
		}
	}
	return ratios, peak
}

func (p *picture) curve(c backtest.Curve) {
	ratios, peak := p.ratios(c)
	var above, below, bar strings.Builder
	firing := p.firing(c)
	for i, ratio := range ratios {
		top, bottom := ' ', ' '
		switch {
		case math.IsNaN(ratio):
		case ratio <= 1:
			top, bottom = limitLine, block(max(ratio, 0.02))
		default:
			top, bottom = block(max(math.Log2(ratio)/math.Log2(fullAbove), 0.06)), block(1)
		}
		above.WriteString(p.tint(top, ratio > 1, "31"))
		below.WriteString(p.tint(bottom, ratio > 1, "31"))
		if firing[i] {
			bar.WriteString(p.tint(firingBar, true, "1;31"))
		} else {
			bar.WriteRune(' ')
		}
	}
	name := curveName(c)
	if utf8.RuneCountInString(name) > p.gutter {
		name = string([]rune(name)[:p.gutter-1]) + "…"
	}
	said := ""
	if peak.Value != nil {
		said = fmt.Sprintf("%s of %s", figure(*peak.Value), figure(*peak.Limit))
	}
	p.line("", above.String(), "")
	p.line(name, below.String(), said)
	if slices.Contains(firing, true) {
		p.line("", bar.String(), "")
	}
}

func (p *picture) line(name, curve, said string) {
	pad := strings.Repeat(" ", p.gutter-utf8.RuneCountInString(name))
	fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf("%s%s  %s  %s", name, pad, curve, said), " "))
}

func (p *picture) tint(r rune, yes bool, code string) string {
	if !yes || r == ' ' {
		return string(r)
	}
	return p.paint(code, string(r))
}

// block is that for a share of a row.
func block(share float64) rune {
	levels := []rune(blocks)
	return levels[min(max(int(math.Ceil(share*8)), 1), 8)]
}

// firing says for each column whether the alert fired in its time.
func (p *picture) firing(c backtest.Curve) []bool {
	out := make([]bool, p.width)
	total := p.r.To.Sub(p.r.From)
	for _, e := range p.r.Alerts {
		if e.Alert != c.Alert || !sameLabels(e.Labels, c.Labels) {
			continue
		}
		end := p.r.To
		if e.Ended != nil {
			end = *e.Ended
		}
		from := int(float64(e.Fired.Sub(p.r.From)) / float64(total) * float64(p.width))
		to := int(math.Ceil(float64(end.Sub(p.r.From)) / float64(total) * float64(p.width)))
		for i := max(from, 0); i < min(max(to, from+1), p.width); i++ {
			out[i] = true
		}
	}
	return out
}

func sameLabels(a, b map[string]string) bool {
	for name, value := range a {
		if b[name] != value {
			return false
		}
	}
	return len(a) == len(b)
}

// axis draws ticks at round times, with their names.
func (p *picture) axis() {
	total := p.r.To.Sub(p.r.From)
	line, names := []rune(strings.Repeat("─", p.width)), []rune(strings.Repeat(" ", p.width+peakWidth))
	line[0] = '└'
	every, layout := tick(total, p.width)
	free := 0
	for at := p.r.From.Truncate(every); !at.After(p.r.To); at = at.Add(every) {
		i := int(float64(at.Sub(p.r.From)) / float64(total) * float64(p.width))
		name := []rune(at.Format(layout))
		if at.Before(p.r.From) || i >= p.width || i < free {
			continue
		}
		line[i] = '┴'
		copy(names[i:], name)
		free = i + len(name) + 2
	}
	p.line("", string(line), "")
	p.line("", strings.TrimRight(string(names), " "), "")
}

// tick is a round time between ticks such that their names have room.
func tick(total time.Duration, width int) (every time.Duration, layout string) {
	const day = 24 * time.Hour
	for _, every := range []time.Duration{
		10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
		day, 2 * day, 7 * day, 14 * day, 28 * day, 84 * day, 364 * day,
	} {
		layout := "Jan 2"
		switch {
		case every < time.Minute:
			layout = "15:04:05"
		case every < day:
			layout = "Jan 2 15:04"
		}
		if float64(width)*float64(every)/float64(total) >= float64(len(layout)+3) {
			return every, layout
		}
	}
	return 364 * day, "Jan 2006"
}

// figure writes a number as a person would.
func figure(x float64) string {
	switch a := math.Abs(x); {
	case a >= 1000:
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	case a >= 0.1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3g", x)
}
