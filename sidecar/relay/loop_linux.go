package relay

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	scratchSize  = 64 << 10 // one read; also what is held back at most for a socket that takes no more
	sparesKept   = 16
	eventsAtOnce = 16 // few, so that what a request touches is still in the processor's cache when its work is done

	backlog    = 8         // pieces of work above which it gets a share of the time though there is something to move
	crowd      = 64        // the same where things come one at a time, and within a piece
	sliceFor   = 8_000     // ns of work between two looks at what is ready
	backlogFor = 2         // that share: one part in so many of the time that moving takes
	workPause  = 1_000_000 // ns until work that cannot be done now is tried again
	never      = 1<<63 - 1 // a time
)

// loop is the mover on Linux: one goroutine and one epoll set for all connections.
//
// It does not block in epoll_wait, which would make Go's scheduler hand its processor on and ask for it back at every
// request: an epoll set can itself be waited for, so it waits in Go's poller like any socket.
//
// Everything here belongs to the goroutine of serve, but what mu guards. A step of Work and handle touch different
// things, locks included, as a step's pause calls handle.
type loop struct {
	cfg      Config
	upstream unix.Sockaddr // nil: a name
	family   int
	ctx      context.Context // ends with stop
	cancel   context.CancelFunc
	dials    sync.WaitGroup

	ep       int
	file     *os.File // ep as Go's poller knows it
	raw      syscall.RawConn
	events   []unix.EpollEvent
	ready    int
	moved    int           // events of the last handle
	fault    syscall.Errno // of epoll_wait
	deadline int64         // until when file waits

	start    time.Time
	sides    []*side // by descriptor
	gen      uint32
	open     int // pairs
	timers   timers
	listener int32 // −1: accepts no more
	full     bool  // no descriptors or memory were left when it last accepted
	acceptAt int64 // when to try again; 0: it accepts
	scratch  []byte
	buffers  buffers

	credit, paused int64 // time that work may have while there is something to move; time that its pauses took
	until          int64 // when a step's pauses begin to do something
	workAt         int64 // when to try work again that could not be done; 0: no need

	mu               sync.Mutex // guards what follows
	calls            []func()
	wake             int // an eventfd
	running, stopped bool
}

// newLoop returns the event loop.
func newLoop(cfg Config) mover {
	l := &loop{cfg: cfg, listener: -1, deadline: never, start: time.Now()}
	l.upstream, l.family = literal(cfg.Upstream)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// now is a time in nanoseconds.
func (l *loop) now() int64 { return int64(time.Since(l.start)) }

// run moves bytes until the loop has stopped and every connection has ended.
func (l *loop) run() error {
	for l.listener >= 0 || l.open > 0 {
		if l.queued() > 0 && l.workAt == 0 {
			if l.poll(); l.ready == 0 && l.fault == 0 {
				l.slice()
				l.tick(l.now())
				continue
			}
		} else if err := l.park(); err != nil {
			return err
		}
		if l.fault != 0 {
			return fmt.Errorf("relay: epoll: %w", l.fault)
		}
		began := l.now()
		l.handle()
		l.tick(l.now())
		l.share(began)
	}
	return nil
}

// tick does what time has come for.
func (l *loop) tick(now int64) {
	for len(l.timers) > 0 && l.timers[0].due <= now {
		p := l.timers[0]
		l.timers.clear(p)
		l.expire(p)
	}
	if l.acceptAt > 0 && l.acceptAt <= now {
		l.listen(true)
	}
	if l.workAt <= now {
		l.workAt = 0
	}
}

// handle does what poll found ready.
func (l *loop) handle() {
	for i := range l.events[:l.ready] {
		ev := l.events[i]
		switch ev.Fd {
		case l.listener:
			l.accept()
		case int32(l.wake):
			l.answer()
		default:
			if s := l.find(ev.Fd, ev.Pad); s != nil {
				l.turn(s, ev.Events)
			}
		}
	}
	l.moved, l.ready = l.ready, 0
}

// rescue keeps a panic to the pair that it happened with.
func (l *loop) rescue(p *pair) {
	if r := recover(); r != nil {
		stack := zap.ByteString("stack", debug.Stack())
		l.cfg.Log.Error("panic in the relay; one connection is reset", zap.Any("panic", r), stack)
		defer func() { _ = recover() }() // the follower may not be in order either
		l.end(p, true)
	}
}

// buffers are those not in use, the last used first.
type buffers [][]byte

func (b *buffers) take() []byte {
	if last := len(*b) - 1; last >= 0 {
		buf := (*b)[last]
		*b = (*b)[:last]
		return buf
	}
	return make([]byte, scratchSize)
}

func (b *buffers) give(buf []byte) {
	if len(*b) < sparesKept {
		*b = append(*b, buf[:scratchSize])
	}
}
