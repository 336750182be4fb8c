package relay

import "time"

// edit is move for what a server sent, b but for the room in front, where the follower may add to it: only when that
// has been shown is it known what is to be written.
func (l *loop) edit(s *side, b []byte) {
	d, at := s.peer(), time.Now()
	from := s.pair.follow.(Editor).Edit(b, l.cfg.Room, at)
	n, e := send(d.fd, b[from:])
	if again(e) {
		n, e = 0, 0
	}
	switch {
	case e != 0:
		l.broke(d)
	case from+n < len(b):
		l.keep(d, b, from+n)
	}
}
