package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// line is one line of an exposition: a comment, or a series that rises.
type line struct {
	text   string  // with the blank before the value; of a comment all of it
	series bool    // not a comment
	first  float64 // value at the start
	rate   float64 // a second, without what the buckets below it have
	bucket bool    // its value is its own and that of the buckets below it
	count  bool    // its value is that of the last bucket
}

// exposition is what one real sidecar said, as a pattern of what others say.
type exposition struct {
	contentType string
	lines       []line
	series      int
}

// newExposition reads what a sidecar said after so many seconds of traffic.
// Counters and histograms rise as fast as they did; gauges stay.
func newExposition(contentType string, body []byte, seconds float64) (*exposition, error) {
	e := &exposition{contentType: contentType}
	below, family := 0.0, "" // the bucket before, and which histogram it is of
	for text := range strings.Lines(string(body)) {
		text = strings.TrimSuffix(text, "\n")
		if text == "" || text[0] == '#' {
			e.lines = append(e.lines, line{text: text})
			continue
		}
		end := strings.LastIndexByte(text, '}') + 1
		if end == 0 {
			end = strings.IndexByte(text, ' ')
		}
		value, _, _ := strings.Cut(strings.TrimSpace(text[max(end, 0):]), " ") // without exemplar or time
		x, err := strconv.ParseFloat(value, 64)
		if end < 0 || err != nil {
			return nil, fmt.Errorf("not a sample: %q", text)
		}
		l := line{text: text[:end] + " ", series: true, first: x}
		name, _, _ := strings.Cut(text[:end], "{")
		switch {
		case strings.HasSuffix(name, "_bucket"):
			of, _, _ := strings.Cut(text, `le="`)
			if of != family {
				family, below = of, 0
			}
			l.bucket, l.rate = true, (x-below)/seconds
			below = x
		case strings.HasSuffix(name, "_count"):
			l.count, l.rate = true, x/seconds
		case strings.HasSuffix(name, "_total"), strings.HasSuffix(name, "_sum"):
			l.rate = x / seconds
		}
		e.lines = append(e.lines, l)
		e.series++
	}
	if e.series == 0 {
		return nil, fmt.Errorf("no series in %d bytes", len(body))
	}
	return e, nil
}

// sidecar is one that is played: its counters rise with the time.
type sidecar struct {
	of     *exposition
	random *rand.Rand
	at     float64 // seconds since the start
	own    []float64
}

func (e *exposition) newSidecar(seed uint64) *sidecar {
	s := &sidecar{of: e, random: rand.New(rand.NewPCG(seed, 1)), own: make([]float64, len(e.lines))}
	for i, l := range e.lines {
		if !l.bucket {
			s.own[i] = l.first
		}
	}
	return s
}

// advance lets time go on to so many seconds since the start.
func (s *sidecar) advance(to float64) {
	passed := to - s.at
	if passed <= 0 {
		return
	}
	s.at = to
	for i, l := range s.of.lines {
		if l.rate == 0 || l.count {
			continue
		}
		more := l.rate * passed * 2 * s.random.Float64()
		if strings.HasSuffix(l.text, "_sum ") || strings.Contains(l.text, "_sum{") {
			s.own[i] += more
			continue
		}
		s.own[i] += float64(int(more + s.random.Float64()))
	}
}

// each yields all series with their values.
func (s *sidecar) each(yield func(text string, value float64)) {
	cumulated := 0.0
	family := ""
	for i, l := range s.of.lines {
		value := s.own[i]
		switch {
		case !l.series:
			yield(l.text, 0)
			continue
		case l.bucket:
			of, _, _ := strings.Cut(l.text, `le="`)
			if of != family {
				family, cumulated = of, 0
			}
			cumulated += value
			value = cumulated
		case l.count:
			value = cumulated
		}
		yield(l.text, value)
	}
}

// write is the exposition as it is now.
func (s *sidecar) write(b *bytes.Buffer) {
	s.each(func(text string, value float64) {
		b.WriteString(text)
		if text != "" && text[0] != '#' {
			b.Write(strconv.AppendFloat(b.AvailableBuffer(), value, 'g', -1, 64))
		}
		b.WriteByte('\n')
	})
}
