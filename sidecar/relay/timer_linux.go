package relay

import "container/heap"

// timers are the pairs that wait for a time, the earliest first. Each pair waits for one thing at most.
type timers []*pair

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].due < t[j].due }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].timer, t[j].timer = int32(i+1), int32(j+1)
}

// Push is part of heap.Interface.
func (t *timers) Push(x any) {
	p := x.(*pair)
	*t = append(*t, p)
	p.timer = int32(len(*t))
}

// Pop is part of heap.Interface.
func (t *timers) Pop() any {
	last := len(*t) - 1
	p := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	p.timer = 0
	return p
}

// set makes p wait until due, and for nothing else.
func (t *timers) set(p *pair, due int64) {
	p.due = due
	if p.timer > 0 {
		heap.Fix(t, int(p.timer-1))
		return
	}
	heap.Push(t, p)
}

// clear makes p wait no more.
func (t *timers) clear(p *pair) {
	if p.timer > 0 {
		heap.Remove(t, int(p.timer-1))
	}
}
