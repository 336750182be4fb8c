package guard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/types"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Loop visits every guard each interval. Only the leader runs one.
type Loop struct {
	Config
	journal journal.Journal
	metrics *metrics
	schemas *evidence.Schemas
	fleet   *fleet
	matches *matches
	checks  *checks
	wakes   *wakes
	looked  *looks

	mu sync.Mutex
	// busy guards are still being visited; their next visit is left out.
	busy map[types.NamespacedName]bool
}

// +kubebuilder:rbac:groups=leeway.dev,resources=modelguards,verbs=get;list;watch,roleName=leeway-controller
// +kubebuilder:rbac:groups=leeway.dev,resources=modelguards/status,verbs=get;update,roleName=leeway-controller
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch,roleName=leeway-controller
// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create,roleName=leeway-controller

// New makes a loop. Its metrics are registered at once.
func New(c Config) (*Loop, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("guard: register metrics: %w", err)
	}
	return &Loop{
		Config:  c,
		journal: journal.Journal{Client: c.Client, Live: c.Live},
		metrics: m,
		schemas: evidence.NewSchemas(),
		fleet:   newFleet(),
		matches: newMatches(),
		checks:  newChecks(),
		wakes:   newWakes(),
		looked:  newLooks(),
		busy:    map[types.NamespacedName]bool{},
	}, nil
}

// Run makes rounds until the context ends, and returns when the last visit has.
// A visit that takes long delays no other guard's.
func (l *Loop) Run(ctx context.Context) error {
	var visits sync.WaitGroup
	defer l.metrics.reset()
	defer visits.Wait()
	l.looks(ctx, func(which func(*v1alpha1.ModelGuard) bool) { l.round(ctx, &visits, which) })
	return nil
}

// Round visits every guard once and waits for all visits.
func (l *Loop) Round(ctx context.Context) {
	var visits sync.WaitGroup
	l.round(ctx, &visits, everyGuard)
	visits.Wait()
}

// round is what one round knows of the whole cluster.
type round struct {
	now      time.Time
	guards   []v1alpha1.ModelGuard
	verdicts Verdicts
	// alerts are the verdicts' that we read, onsets what the fleet's are about.
	alerts []decide.Alert
	onsets []decide.Onset
	// blind is why alerts can't be trusted, or nil.
	blind error
	// overload is why the controllers have more to do than they can, or nil.
	overload *overload
}

func (l *Loop) round(ctx context.Context, visits *sync.WaitGroup, which func(*v1alpha1.ModelGuard) bool) {
	r := &round{now: l.Now().Truncate(time.Microsecond)}
	var list v1alpha1.ModelGuardList
	if err := l.Client.List(ctx, &list); err != nil {
		l.Logger.Error("list guards", zap.Error(err))
		return
	}
	r.guards = list.Items
	r.verdicts, r.blind = l.Source.Verdicts(ctx, r.now)
	for _, a := range r.verdicts.Alerts {
		if alert, ok := a.Judged(); ok {
			r.alerts = append(r.alerts, alert)
		}
	}
	r.overload = overloadOf(r.verdicts.Alerts)
	r.onsets = evidence.Onsets(r.guards, r.alerts, r.now)
	l.metrics.forget(r.guards)
	l.fleet.refresh(r.guards)
	l.matches.forget(r.guards)
	l.looked.forget(r.guards)
	visits.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, l.VisitTimeout)
		defer cancel()
		if err := l.endOrphans(ctx, r.guards); err != nil && ctx.Err() == nil {
			l.Logger.Warn("end decisions of deleted guards", zap.Error(err))
		}
	})
	for i := range r.guards {
		g := &r.guards[i]
		key := types.NamespacedName{Namespace: g.Namespace, Name: g.Name}
		if !which(g) || !l.enter(key) {
			continue
		}
		visits.Go(func() {
			defer l.leave(key)
			leading := ctx
			ctx, cancel := context.WithTimeout(leading, l.VisitTimeout)
			defer cancel()
			if err := l.visit(ctx, leading, r, g); err != nil && ctx.Err() == nil {
				l.Logger.Warn("visit guard", zap.String("namespace", g.Namespace), zap.String("guard", g.Name), zap.Error(err))
			}
		})
	}
}

func (l *Loop) enter(key types.NamespacedName) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[key] {
		return false
	}
	l.busy[key] = true
	return true
}

func (l *Loop) leave(key types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, key)
}
