package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/leeway-dev/leeway/registry/dataset"
)

// progressEvery is how often a person is told how far it got.
const progressEvery = 500 * time.Millisecond

// progress tells how much was read, to a person who is watching. Nobody else
// is told: a log is no place for it.
type progress struct {
	w     io.Writer // nil when nobody watches
	bytes int64
	told  time.Time
	more  string // what else there is to tell
}

func newProgress(w io.Writer) *progress {
	p := &progress{told: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = w
	}
	return p
}

func (p *progress) add(n int) {
	p.bytes += int64(n)
	if p.w != nil && time.Since(p.told) >= progressEvery {
		p.told = time.Now()
		fmt.Fprintf(p.w, "\rread %.0f MB%s", float64(p.bytes)/1e6, p.more)
	}
}

// show tells how far a dataset was read: in percent, and in which pass.
func (p *progress) show(d dataset.Progress) {
	if p.w == nil || time.Since(p.told) < progressEvery {
		return
	}
	p.told = time.Now()
	again := ""
	if d.Pass > 1 {
		again = fmt.Sprintf(", pass %d", d.Pass)
	}
	fmt.Fprintf(p.w, "\r\033[Kread %.0f of %.0f MB (%.0f%%)%s", float64(d.Bytes)/1e6, float64(d.Size)/1e6, 100*float64(d.Bytes)/float64(max(d.Size, 1)), again)
}

// fraction tells how far a replay got: in percent, and in its own time.
func (p *progress) fraction(done float64, at time.Time) {
	if p.w == nil || time.Since(p.told) < progressEvery {
		return
	}
	p.told = time.Now()
	fmt.Fprintf(p.w, "\r\033[Kreplayed %3.0f%%, to %s", 100*done, at.UTC().Format("2006-01-02 15:04"))
}

// done clears the line.
func (p *progress) done() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\033[K")
	}
}
