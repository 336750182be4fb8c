package replay

import (
	"context"
	"time"

	"github.com/leeway-dev/leeway/examples/flights/data"
)

// late is a label whose time has not come yet.
type late struct {
	due   time.Time
	row   data.Flight
	label Label
}

// post hands labels on once they are due, in batches of a second.
func (r *Replay) post(ctx context.Context, labels <-chan late) {
	var waiting []late
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case l, ok := <-labels:
			if !ok {
				return
			}
			waiting = append(waiting, l)
		case now := <-tick.C:
			n := 0
			for n < len(waiting) && !waiting[n].due.After(now) {
				n++
			}
			r.hand(ctx, waiting[:n])
			waiting = append(waiting[:0:0], waiting[n:]...)
		}
	}
}

func (r *Replay) hand(ctx context.Context, due []late) {
	if len(due) == 0 {
		return
	}
	labels, rows := make([]Label, len(due)), make([]data.Flight, len(due))
	for i, l := range due {
		labels[i], rows[i] = l.label, l.row
	}
	if r.config.Feedback != nil {
		r.config.Feedback(ctx, labels)
	}
	if r.config.Rows != nil {
		r.config.Rows(ctx, due[0].due.Add(-r.config.LabelDelay), rows)
	}
}
