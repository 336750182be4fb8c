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

// step does one piece of work. One that cannot be done now, since others hold what it needs, is tried again soon.
func (l *loop) step() (did bool) {
	defer func() {
		if r := recover(); r != nil {
			l.cfg.Log.Error("panic in work beside the relay", zap.Any("panic", r), zap.ByteString("stack", debug.Stack()))
		}
		if !did {
			l.workAt = l.now() + workPause
		}
	}()
	return l.cfg.Work.Step(l.pause)
}

// pause moves what has become ready while a step is under way.
func (l *loop) pause() {
	if l.poll(); l.ready > 0 {
		began := l.now()
		l.handle()
		l.paused += l.now() - began
	}
}

// share gives work a part of the time when so much of it waits that there may never be a moment with nothing to
// move: some observations are better than none. What does not fit is dropped by the queue, so traffic is not held
// up.
func (l *loop) share(began int64) {
	if l.queued() <= backlog || l.workAt > 0 {
		l.credit = 0
		return
	}
	l.credit += (l.now() - began) / backlogFor
	for l.credit > 0 && l.queued() > backlog {
		before, paused := l.now(), l.paused
		if !l.step() {
			return
		}
		l.credit -= l.now() - before - (l.paused - paused)
	}
}
