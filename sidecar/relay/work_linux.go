package relay

import (
	"runtime/debug"

	"go.uber.org/zap"
)

func (l *loop) queued() int {
	if l.cfg.Work == nil {
		return 0
	}
	return l.cfg.Work.Queued()
}

// slice does work for a moment. To ask epoll costs as much as a small piece.
func (l *loop) slice() {
	until := l.now() + sliceFor
	for l.step(until) && l.queued() > 0 && l.now() < until {
	}
}

// step does one piece of work, and up to a time without pausing. One that cannot be done now, since others hold what it
// needs, is tried again soon.
func (l *loop) step(until int64) (did bool) {
	defer func() {
		if r := recover(); r != nil {
			stack := zap.ByteString("stack", debug.Stack())
			l.cfg.Log.Error("panic in work beside the relay", zap.Any("panic", r), stack)
		}
		if !did {
			l.workAt = l.now() + workPause
		}
	}()
	l.until = until
	return l.cfg.Work.Step(l.pause)
}

// pause moves what has become ready while a step is under way.
func (l *loop) pause() {
	began := l.now()
	if began < l.until {
		return
	}
	if l.poll(); l.ready == 0 {
		return
	}
	l.handle()
	took := l.now() - began
	l.paused += took
	if l.queued() > crowd {
		l.credit += took / backlogFor
		l.until = l.now() + took/backlogFor
	}
}

// share gives work a part of the time when so much of it waits that there may never be a moment with nothing to move:
// some observations are better than none. What does not fit is dropped by the queue, so traffic is held up by that part
// and no more.
func (l *loop) share(began int64) {
	most := backlog
	if l.moved == 1 { // then there mostly is a moment
		most = crowd
	}
	if l.queued() <= most || l.workAt > 0 {
		l.credit = 0
		return
	}
	l.credit += (l.now() - began) / backlogFor
	for l.credit > 0 && l.queued() > most {
		before, paused := l.now(), l.paused
		if !l.step(before + l.credit) {
			return
		}
		l.credit -= l.now() - before - (l.paused - paused)
	}
}
