package relay

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// post has f called by the loop, and reports false when it does not run.
func (l *loop) post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running {
		return false
	}
	l.calls = append(l.calls, f)
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(l.wake, one[:])
	return true
}

// do has f called by the loop and waits for it. Without a running loop there is nothing to do.
func (l *loop) do(f func()) {
	done := make(chan struct{})
	if l.post(func() { defer close(done); f() }) {
		<-done
	}
}

// answer makes the calls.
func (l *loop) answer() {
	l.mu.Lock()
	calls := l.calls
	l.calls = nil
	if l.running {
		var count [8]byte
		unix.Read(l.wake, count[:])
	}
	l.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

// each calls f with every pair.
func (l *loop) each(f func(*pair)) {
	for _, s := range l.sides {
		if s != nil && s.client {
			func() {
				defer l.rescue(s.pair)
				f(s.pair)
			}()
		}
	}
}

func (l *loop) unlisten() {
	if l.listener >= 0 {
		unix.Close(int(l.listener))
		l.listener = -1
	}
}

func (l *loop) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.cancel()
	l.do(func() {
		l.unlisten()
		l.acceptAt = 0
		l.each(func(p *pair) {
			if p.connecting {
				l.refuse(p, l.ctx.Err())
			}
		})
	})
}

func (l *loop) busy() (n int) {
	l.do(func() {
		l.each(func(p *pair) {
			if p.refused == nil && !p.idle() {
				n++
			}
		})
	})
	return n
}

func (l *loop) endIdle() (left int) {
	l.do(func() {
		l.each(func(p *pair) {
			left++
			if p.idle() {
				l.end(p, false)
			}
		})
	})
	return left
}

func (l *loop) abort() {
	l.do(func() { l.each(func(p *pair) { l.end(p, true) }) })
}
