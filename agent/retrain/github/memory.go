package github

import (
	"maps"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/agent/retrain/github/answer"
)

// memory is what spares GitHub questions: nothing that matters is lost with it.
type memory struct {
	mu sync.Mutex
	// limits are by account.
	limits map[string]limit
	// looks are by training: what was heard last, and when to ask again.
	looks map[string]heard
}

type limit struct {
	until time.Time
	// strikes counts limits in a row that did not say how long to wait.
	strikes int
}

type heard struct {
	again  time.Time
	status retrain.Status
	err    error
}

func newMemory() *memory {
	return &memory{limits: map[string]limit{}, looks: map[string]heard{}}
}

// until is when an account may ask again, zero for now.
func (m *memory) until(account string, now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.limits[account]; now.Before(l.until) {
		return l.until
	}
	return time.Time{}
}

// wait notes a limit, and returns when it ends. One that does not say how long it
// is doubles each time.
func (m *memory) wait(account string, now time.Time, d time.Duration, told bool) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.limits[account]
	if !told {
		d = min(d<<min(l.strikes, 6), answer.MostWait)
		l.strikes++
	}
	l.until = now.Add(d)
	m.limits[account] = l
	return l.until
}

// served notes that an account was within its limits.
func (m *memory) served(account string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.limits, account)
}

// last is what was heard of a training, unless it is time to ask again.
func (m *memory) last(training string, now time.Time) (heard, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.looks[training]
	return h, ok && now.Before(h.again)
}

const (
	leastPause = 5 * time.Second
	mostPause  = time.Minute
)

// keep remembers what was heard of a training that was begun a while ago, for a
// part of that time.
func (m *memory) keep(training string, now time.Time, age time.Duration, s retrain.Status, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.looks, func(_ string, h heard) bool { return now.Sub(h.again) > mostPause })
	m.looks[training] = heard{now.Add(min(max(age/8, leastPause), mostPause)), s, err}
}
