package guard

import (
	"sync"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// fleet counts the guards that act at once, over all namespaces. Statuses say
// so for what earlier rounds began, reservations for this one: visits run side
// by side, and the limit holds for them together.
type fleet struct {
	mu       sync.Mutex
	guards   int
	acting   map[guardKey]bool
	reserved map[guardKey]bool
}

func newFleet() *fleet { return &fleet{acting: map[guardKey]bool{}, reserved: map[guardKey]bool{}} }

func (f *fleet) refresh(guards []v1alpha1.ModelGuard) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.guards = len(guards)
	clear(f.acting)
	there := map[guardKey]bool{}
	for i := range guards {
		there[keyOf(&guards[i])] = true
		if p := guards[i].Status.Phase; p == v1alpha1.Acting || p == v1alpha1.Verifying {
			f.acting[keyOf(&guards[i])] = true
		}
	}
	for k := range f.reserved {
		if !there[k] {
			delete(f.reserved, k)
		}
	}
}

// others counts the other guards that act now.
func (f *fleet) others(k guardKey) (guards, acting int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.guards, f.count(k)
}

func (f *fleet) count(k guardKey) int {
	n := 0
	for other := range f.acting {
		if other != k {
			n++
		}
	}
	for other := range f.reserved {
		if other != k && !f.acting[other] {
			n++
		}
	}
	return n
}

// reserve takes one of the places: 5% of the guards, at least one.
func (f *fleet) reserve(k guardKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count(k) >= max(1, f.guards/20) {
		return false
	}
	f.reserved[k] = true
	return true
}

func (f *fleet) release(k guardKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.reserved, k)
}
