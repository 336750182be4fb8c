package relay

import (
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// refuse tells the client that there is no upstream connection.
func (l *loop) refuse(p *pair, err error) {
	reason := dialReason(err)
	l.close(&p.upstream, false)
	p.connecting = false
	p.refused = newRefusal(p.follow, reason, l.cfg.Upstream)
	l.timers.set(p, l.now()+int64(l.cfg.waits.refused))
	l.ask(&p.client)
	l.cfg.Failed(reason)
	l.cfg.Log.Debug("no upstream connection", zap.String("reason", string(reason)), zap.Error(err))
}

// refuseMore goes on with b, which the client sent.
func (l *loop) refuseMore(p *pair, b []byte, ended bool) {
	at := time.Now()
	answer, more := p.refused.take(b, at)
	if answer != nil {
		// The socket is fresh and the answer short: it is taken whole.
		if n, e := send(p.client.fd, answer); e == 0 && n == len(answer) {
			p.follow.Response(answer, at)
		}
		unix.Shutdown(int(p.client.fd), unix.SHUT_WR)
	}
	if ended || !more {
		l.end(p, false)
	}
}
