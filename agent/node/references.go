package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
)

// Labels and annotations of a model pod that say which profile is its reference.
const (
	VersionLabel     = "leeway.dev/version"
	DigestAnnotation = "leeway.dev/profile-digest"
)

const (
	// pushesAtOnce bounds how many sidecars one that hangs can hold up.
	pushesAtOnce = 4
	firstRetry   = 250 * time.Millisecond
	lastRetry    = 15 * time.Second
	// After an answer that more asking is not likely to change (no profile is
	// registered, or not the one that the pod is stamped with) the pause grows to
	// askAgain. It starts low: a version may be deployed the moment it is
	// registered, before this controller has seen it.
	askFirst = time.Second
	askAgain = 30 * time.Second
)

// sidecar is one run of one sidecar: a container that is started anew has
// forgotten its reference.
type sidecar struct {
	pod       string // UID
	container string // ID of this run
}

// push is what is known about bringing a sidecar its reference.
type push struct {
	profile profileKey
	address string
	name    string // namespace/pod, for the log
	due     time.Time
	pause   time.Duration
	done    bool
}

// references brings every sidecar on the node the profile of its version.
type references struct {
	source  *profileSource
	client  pusher
	metrics *metrics
	log     *zap.Logger
	now     func() time.Time

	wake chan struct{}
	mu   sync.Mutex
	// pushes has exactly the sidecars that run now.
	pushes map[sidecar]*push
}

func newReferences(cfg Config, m *metrics) (*references, error) {
	source, err := newProfileSource(cfg)
	if err != nil {
		return nil, err
	}
	return &references{
		source:  source,
		client:  pusher{client: cfg.Client},
		metrics: m, log: cfg.Logger, now: time.Now,
		wake:   make(chan struct{}, 1),
		pushes: map[sidecar]*push{},
	}, nil
}

// set takes the pods that there are now.
func (r *references) set(pods []*corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	current := make(map[sidecar]*push, len(pods))
	for _, pod := range pods {
		key, p, ok := planPush(pod)
		if !ok {
			continue
		}
		if known := r.pushes[key]; known != nil && known.profile == p.profile && known.address == p.address {
			p = known
		}
		current[key] = p
	}
	r.pushes = current
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// planPush is what a pod needs; ok is false while its sidecar does not run or
// when it says no version.
func planPush(pod *corev1.Pod) (sidecar, *push, bool) {
	address, ok := adminAddress(pod)
	version := pod.Labels[VersionLabel]
	container := runningSidecar(pod)
	if !ok || version == "" || container == "" || pod.DeletionTimestamp != nil {
		return sidecar{}, nil, false
	}
	return sidecar{pod: string(pod.UID), container: container}, &push{
		profile: profileKey{
			namespace: pod.Namespace, model: pod.Labels[ModelLabel], version: version,
			digest: pod.Annotations[DigestAnnotation],
		},
		address: address, name: pod.Namespace + "/" + pod.Name,
	}, true
}

// runningSidecar is the ID of the running container that has the admin port, or
// empty.
func runningSidecar(pod *corev1.Pod) string {
	hasPort := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == AdminPort })
	}
	find := func(containers []corev1.Container, statuses []corev1.ContainerStatus) string {
		i := slices.IndexFunc(containers, hasPort)
		if i < 0 {
			return ""
		}
		for _, s := range statuses {
			if s.Name == containers[i].Name && s.State.Running != nil {
				return s.ContainerID
			}
		}
		return ""
	}
	if id := find(pod.Spec.InitContainers, pod.Status.InitContainerStatuses); id != "" {
		return id
	}
	return find(pod.Spec.Containers, pod.Status.ContainerStatuses)
}

// run pushes what is due until ctx ends.
func (r *references) run(ctx context.Context) error {
	for {
		due, next := r.due(r.now())
		var g errgroup.Group
		g.SetLimit(pushesAtOnce)
		for _, p := range due {
			g.Go(func() error {
				r.attempt(ctx, p)
				return nil
			})
		}
		_ = g.Wait()
		if len(due) > 0 && ctx.Err() == nil {
			continue
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-r.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// due are the pushes to try now, and how long to wait for the next when there
// are none.
func (r *references) due(now time.Time) (due []*push, next time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next = time.Minute
	for _, p := range r.pushes {
		switch {
		case p.done:
		case p.due.After(now):
			next = min(next, p.due.Sub(now))
		default:
			due = append(due, p)
		}
	}
	return due, next
}

// attempt tries one push once and notes when to try again.
func (r *references) attempt(ctx context.Context, p *push) {
	result, err := r.try(ctx, p)
	if ctx.Err() != nil {
		return
	}
	r.metrics.references.WithLabelValues(string(result)).Inc()
	log := r.log.With(zap.String("pod", p.name), zap.String("model", p.profile.model), zap.String("version", p.profile.version))
	r.mu.Lock()
	defer r.mu.Unlock()
	switch result {
	case pushed:
		p.done = true
		log.Info("reference pushed")
		return
	case pushConflict:
		p.done = true
		log.Error("the sidecar has another reference; restart the pod to change it", zap.Error(err))
		return
	case noProfile, wrongDigest:
		if p.pause == 0 {
			log.Warn("no reference for this pod; asking again from time to time", zap.String("reason", string(result)), zap.Error(err))
		}
		p.pause = min(max(2*p.pause, askFirst), askAgain)
	default:
		p.pause = min(max(2*p.pause, firstRetry), lastRetry)
		log.Debug("reference not pushed; trying again", zap.String("reason", string(result)), zap.Duration("in", p.pause), zap.Error(err))
	}
	p.due = r.now().Add(p.pause)
}

func (r *references) try(ctx context.Context, p *push) (pushResult, error) {
	body, result, err := r.source.get(ctx, p.profile)
	if result != fetched {
		return result, err
	}
	return r.client.put(ctx, p.address, body)
}
