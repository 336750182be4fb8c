package guard

import (
	"maps"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// looks knows when each guard was looked at last, so that time in which nobody did is
// not taken for quiet.
type looks struct {
	mu sync.Mutex
	// led is until when another led; zero: it is not known.
	led time.Time
	at  map[client.ObjectKey]time.Time
}

func newLooks() *looks { return &looks{at: map[client.ObjectKey]time.Time{}} }

// TakeOver says until when another leader led, as far as is known. What it saw go on
// then is taken to have gone on since.
func (l *Loop) TakeOver(led time.Time) {
	l.looked.mu.Lock()
	defer l.looked.mu.Unlock()
	l.looked.led = led
}

// before is since when nobody has looked at a guard; zero if somebody just has, or that
// is not known.
func (k *looks) before(guard client.ObjectKey, now time.Time) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	last, looked := k.at[guard]
	switch {
	case !looked:
		return k.led
	case now.Sub(last) > decide.GoesOn:
		return last
	}
	return time.Time{}
}

// note keeps a look whose findings have been stored.
func (k *looks) note(guard client.ObjectKey, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at[guard] = now
}

// forget drops the guards that are no more.
func (k *looks) forget(guards []v1alpha1.ModelGuard) {
	there := names(guards)
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.at, func(key client.ObjectKey, _ time.Time) bool { return !there[key] })
}
