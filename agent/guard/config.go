package guard

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// Source gives verdicts and numbers: the embedded engine, or an external one.
// An error is blindness, never health.
type Source interface {
	// Verdicts returns what the rules say. Rules that were not evaluated lately, or
	// not without an error, say nothing: that is an error.
	Verdicts(ctx context.Context, now time.Time) (Verdicts, error)
	// Query evaluates PromQL at a time.
	Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error)
}

// Verdicts are what the rules say at one time.
type Verdicts struct {
	// Alerts that are pending or firing.
	Alerts []evidence.Alert
	// PageWindow is the window of the page clock's alerts on predictions as the
	// recorded series spell it at their end, such as "1h". Empty: there are none.
	PageWindow string
}

// LiveProfile is what the pods of a version say about their own traffic.
type LiveProfile struct {
	// Profile is merged from the pods that answered; nil when none did.
	Profile *profile.Profile
	// Pods that answered, and those that did not with the reason.
	Pods    int
	Missing []string
}

// Trigger is a way to train.
type Trigger interface {
	// Start starts what an order asks for, once, and returns what it is called. A
	// *retrain.Trouble says why it can't, and whether to ask again.
	Start(ctx context.Context, o retrain.Order) (string, error)
	// Look says where it stands. A *retrain.Trouble says that this is not known now.
	Look(ctx context.Context, o retrain.Order, name string) (retrain.Status, error)
}

// Config is what a Loop needs. Every field must be set unless it says
// otherwise.
type Config struct {
	// Client reads from the manager's cache and writes.
	Client client.Client
	// Live reads from the API server itself.
	Live client.Reader
	// Source of alerts and numbers.
	Source Source
	// Store is the registry of a namespace.
	Store func(namespace string) (registry.Store, error)
	// LiveProfile fetches and merges the profiles of pods; FetchProfiles is one.
	LiveProfile func(ctx context.Context, pods []corev1.Pod, from, to time.Time) (LiveProfile, error)
	// CheckArtifact says whether an artifact exists and has the digest. It
	// returns artifact.ErrMissing or artifact.ErrDigest for an artifact that can
	// not be deployed, another error when that is not known.
	CheckArtifact func(ctx context.Context, uri, sha256 string) error
	// CanPatch says whether Leeway may patch workloads of a namespace;
	// Permission is one.
	CanPatch func(ctx context.Context, namespace string) (bool, error)
	// GitHub trains by workflows. Nil: guards that name one are held.
	GitHub Trigger
	// Event puts an Event on an object. Nil: none.
	Event func(object runtime.Object, eventType, reason, message string)
	// Registerer gets the metrics. Nil: nowhere.
	Registerer prometheus.Registerer
	Logger     *zap.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time

	// Interval between rounds. Zero: 5 s.
	Interval time.Duration
	// RulesSince is since when the source evaluates rules. Zero: all the time, as one
	// does that is not part of a controller.
	RulesSince time.Time
	// Stale is how long a pod's metrics may be away before it counts as unseen,
	// five scrapes or more. Zero: 75 s.
	Stale time.Duration
	// TrafficWindow is what "no traffic" and the load are read over, the window
	// of the errors rules or more. Zero: 2 m.
	TrafficWindow time.Duration
	// Keep is how many decisions of a guard are kept. Zero: 50.
	Keep int
	// VisitTimeout bounds one visit. Zero: 30 s.
	VisitTimeout time.Duration
}

func (c *Config) fill() error {
	switch {
	case c.Client == nil || c.Live == nil:
		return errors.New("guard: Client and Live must be set")
	case c.Source == nil || c.Store == nil || c.LiveProfile == nil:
		return errors.New("guard: Source, Store and LiveProfile must be set")
	case c.CheckArtifact == nil || c.CanPatch == nil || c.Logger == nil:
		return errors.New("guard: CheckArtifact, CanPatch and Logger must be set")
	}
	if c.Event == nil {
		c.Event = func(runtime.Object, string, string, string) {}
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Interval = orDefault(c.Interval, 5*time.Second)
	c.Stale = orDefault(c.Stale, 75*time.Second)
	c.TrafficWindow = orDefault(c.TrafficWindow, 2*time.Minute)
	c.VisitTimeout = orDefault(c.VisitTimeout, 30*time.Second)
	if c.Keep == 0 {
		c.Keep = 50
	}
	return nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}
