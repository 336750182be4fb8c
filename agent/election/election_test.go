package election_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/leeway-dev/leeway/agent/election"
)

const duration = 15 * time.Second

// replica is one that stands for election, in a bubble of synctest.
type replica struct {
	able    atomic.Bool
	leads   atomic.Bool
	stop    context.CancelFunc
	result  chan error
	linger  time.Duration // that Lead takes to end
	overlap *atomic.Int32 // of all that lead
	// led is when the leader before was known to lead last.
	led atomic.Pointer[time.Time]
}

func start(t *testing.T, kube kubernetes.Interface, name string, able bool, overlap *atomic.Int32) *replica {
	t.Helper()
	return startWith(t, lock(t, kube, name), able, overlap)
}

func lock(t *testing.T, kube kubernetes.Interface, name string) resourcelock.Interface {
	t.Helper()
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, "leeway-system", "leeway-controller",
		kube.CoreV1(), kube.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: name})
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func startWith(t *testing.T, lock resourcelock.Interface, able bool, overlap *atomic.Int32) *replica {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &replica{stop: stop, result: make(chan error, 1), overlap: overlap}
	r.able.Store(able)
	c := election.Candidate{
		Lock: lock, Duration: duration, Able: r.able.Load, Logger: zaptest.NewLogger(t).Named(lock.Identity()),
		Lead: func(ctx context.Context, led time.Time) error {
			r.leads.Store(true)
			r.led.Store(&led)
			if overlap.Add(1) > 1 {
				t.Error("two lead at once")
			}
			<-ctx.Done()
			time.Sleep(r.linger)
			overlap.Add(-1)
			r.leads.Store(false)
			return nil
		},
	}
	go func() { r.result <- c.Run(ctx) }()
	return r
}

func (r *replica) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.result; err != nil {
		t.Error(err)
	}
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// The first of all has nobody to wait for.
func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, fake.NewClientset(), "a", true, new(atomic.Int32))
		defer r.end(t)
		wait(time.Second)
		if !r.leads.Load() || !r.led.Load().IsZero() {
			t.Errorf("after a second, it leads: %t; another led until %v", r.leads.Load(), r.led.Load())
		}
	})
}

// A leader that is killed and back at once leaves the Lease to its peer.
func TestRestartedLeaderStandsAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kube, overlap := fake.NewClientset(), new(atomic.Int32)
		old := start(t, kube, "a", true, overlap)
		wait(time.Second)
		peer := start(t, kube, "b", true, overlap)
		defer peer.end(t)
		wait(time.Minute)
		if !old.leads.Load() || peer.leads.Load() {
			t.Fatal("want the first to lead")
		}
		old.linger = time.Second
		old.end(t) // gives the Lease up
		again := start(t, kube, "a again", true, overlap)
		defer again.end(t)
		wait(duration / 2) // the peer looks at the Lease each fifth, or 2.2 times as seldom
		if !peer.leads.Load() || again.leads.Load() {
			t.Errorf("the peer leads: %t, the restarted one: %t; want the peer", peer.leads.Load(), again.leads.Load())
		}
		if led := peer.led.Load(); led == nil || time.Since(*led) > duration/2+time.Second || time.Since(*led) < duration/2-time.Second {
			t.Errorf("the peer was told that the other led until %v, want until %s ago", led, duration/2)
		}
	})
}

// One that can't judge yet waits, also for a peer that died without a word; it
// leads all the same when nobody else does.
func TestUnable(t *testing.T) {
	for name, tc := range map[string]struct{ peer, leads bool }{
		"with a peer that leads": {peer: true},
		"alone":                  {leads: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kube, overlap := fake.NewClientset(), new(atomic.Int32)
				died := metav1.NewMicroTime(time.Now())
				holder, seconds := "dead", int32(duration.Seconds())
				if _, err := kube.CoordinationV1().Leases("leeway-system").Create(t.Context(), &coordinationv1.Lease{
					ObjectMeta: metav1.ObjectMeta{Name: "leeway-controller", Namespace: "leeway-system"},
					Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &died, RenewTime: &died},
				}, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				if tc.peer {
					peer := start(t, kube, "b", true, overlap)
					defer peer.end(t)
				}
				r := start(t, kube, "a", false, overlap)
				defer r.end(t)
				wait(2*duration - time.Second)
				if r.leads.Load() {
					t.Error("it leads before two Leases have passed")
				}
				wait(2 * duration)
				if got := r.leads.Load(); got != tc.leads {
					t.Errorf("it leads: %t, want %t", got, tc.leads)
				}
				if led := r.led.Load(); tc.leads && !led.Truncate(time.Second).Equal(died.Truncate(time.Second)) {
					t.Errorf("it was told that the other led until %v, want %v", led, died)
				}
			})
		})
	}
}

// One that loses the Lease, here since nothing can be written, says so.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kube := fake.NewClientset()
		var cut atomic.Bool
		kube.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			return cut.Load(), nil, errors.New("cut off")
		})
		r := start(t, kube, "a", true, new(atomic.Int32))
		defer r.stop()
		wait(time.Second)
		cut.Store(true)
		if err := <-r.result; !errors.Is(err, election.ErrLost) {
			t.Errorf("ended with %v, want %v", err, election.ErrLost)
		}
		if r.leads.Load() {
			t.Error("it leads on")
		}
	})
}

// gate is a lock whose way to the API server can be cut off: what is asked waits
// until it is whole again.
type gate struct {
	resourcelock.Interface
	cut atomic.Bool
}

func (g *gate) pass(ctx context.Context) error {
	for g.cut.Load() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

func (g *gate) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if err := g.pass(ctx); err != nil {
		return nil, nil, err
	}
	return g.Interface.Get(ctx)
}

func (g *gate) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	if err := g.pass(ctx); err != nil {
		return err
	}
	return g.Interface.Update(ctx, r)
}

// A leader that was cut off until another led gives up nothing: the Lease is the
// other's.
func TestCutOffLeaderLeavesTheLeaseAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kube := fake.NewClientset()
		way := &gate{Interface: lock(t, kube, "a")}
		old := startWith(t, way, true, new(atomic.Int32))
		wait(time.Second)
		if !old.leads.Load() {
			t.Fatal("it does not lead")
		}
		way.cut.Store(true)
		wait(duration)
		peer := lock(t, kube, "b")
		take(t, peer)
		way.cut.Store(false)
		if err := <-old.result; !errors.Is(err, election.ErrLost) {
			t.Errorf("ended with %v, want %v", err, election.ErrLost)
		}
		if record, _, err := peer.Get(t.Context()); err != nil || record.HolderIdentity != "b" {
			t.Errorf("the Lease is held by %q (error: %v), want b", record.HolderIdentity, err)
		}
	})
}

// strict is a lock that overwrites nobody else's Lease, as an API server sees to by
// resource versions; the fake one does not.
type strict struct{ resourcelock.Interface }

func (s *strict) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	there, _, err := s.Interface.Get(ctx)
	if err == nil && there.HolderIdentity != "" && there.HolderIdentity != s.Identity() {
		err = errors.New("conflict")
	}
	if err != nil {
		return err
	}
	return s.Interface.Update(ctx, r)
}

// A leader that sees that the Lease is another's stops at once, and does not try for as
// long as it would a Lease that it can't read.
func TestSeesThatAnotherLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kube := fake.NewClientset()
		old := startWith(t, &strict{Interface: lock(t, kube, "a")}, true, new(atomic.Int32))
		wait(time.Second)
		take(t, lock(t, kube, "b"))
		wait(duration / 4) // it looks each fifth
		if old.leads.Load() {
			t.Error("it still leads")
		}
		if err := <-old.result; !errors.Is(err, election.ErrLost) {
			t.Errorf("ended with %v, want %v", err, election.ErrLost)
		}
	})
}

// take has the Lease be another's.
func take(t *testing.T, by resourcelock.Interface) {
	t.Helper()
	record, _, err := by.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	record.HolderIdentity = by.Identity()
	if err := by.Update(t.Context(), *record); err != nil {
		t.Fatal(err)
	}
}

// stuck is a lock whose renewals, once it is, neither return nor end with their context:
// as for a process that is stopped.
type stuck struct {
	resourcelock.Interface
	from atomic.Bool
	on   chan struct{}
}

func (s *stuck) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	if s.from.Load() {
		<-s.on
	}
	return s.Interface.Update(ctx, r)
}

// Nobody leads for longer than the Lease after it was renewed last, whatever the elector
// does: from then on another may.
func TestLeadsNoLongerThanTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kube := fake.NewClientset()
		way := &stuck{Interface: lock(t, kube, "a"), on: make(chan struct{})}
		old := startWith(t, way, true, new(atomic.Int32))
		wait(time.Minute)
		if !old.leads.Load() {
			t.Fatal("it does not lead")
		}
		way.from.Store(true)
		wait(duration)
		if old.leads.Load() {
			t.Error("it still leads")
		}
		take(t, lock(t, kube, "b"))
		close(way.on)
		if err := <-old.result; !errors.Is(err, election.ErrLost) {
			t.Errorf("ended with %v, want %v", err, election.ErrLost)
		}
	})
}
