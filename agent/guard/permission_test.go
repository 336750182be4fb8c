package guard_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/guard"
)

// reviewer allows, and counts how often it was asked.
type reviewer struct {
	client.Writer
	asked   atomic.Int64
	refuses atomic.Bool
}

func (r *reviewer) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	r.asked.Add(1)
	time.Sleep(20 * time.Millisecond)
	o.(*authorizationv1.SelfSubjectAccessReview).Status.Allowed = !r.refuses.Load()
	return nil
}

// All guards of a namespace ask in the same moment: one question for them all.
func TestPermissionIsAskedForOnce(t *testing.T) {
	r, now := &reviewer{}, time.Unix(0, 0)
	may := guard.Permission(r, func() time.Time { return now })
	round := func(want bool, asked int64) {
		t.Helper()
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				if ok, err := may(t.Context(), []string{"a", "b"}[i%2]); err != nil || ok != want {
					t.Error(ok, err)
				}
			})
		}
		all.Wait()
		if n := r.asked.Load(); n != asked {
			t.Errorf("asked %d times, want %d", n, asked)
		}
	}
	round(true, 2)
	now = now.Add(9 * time.Second)
	r.refuses.Store(true)
	round(true, 2)
	now = now.Add(time.Second)
	round(false, 4)
}
