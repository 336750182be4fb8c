package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const (
	// goneFor is how long a pod that was deleted is remembered: for as long as
	// samples of it may wait in a node agent's buffer, and be taken by the TSDB.
	goneFor = 3 * time.Hour
	// missingFor is how long it is believed that nobody knows a pod on a node.
	missingFor = 5 * time.Second
	// maxStrangers bounds how many of these are remembered.
	maxStrangers = 4096
	// What one node's agent may have the API server asked for.
	asksPerSecond = 2
	asksAtOnce    = 20
)

// Pods knows which pods serve models, or did lately, and where. It is what a node
// agent's series are held against: the agent's word for which pod they are of is
// worth as much as its token.
type Pods struct {
	cfg    PodsConfig
	synced atomic.Pointer[func() bool]

	mu sync.RWMutex
	// pods has those of a name, by their UID: one that was made again may be on
	// another node.
	pods map[podName][]*pod
	// here counts the pods that are not gone.
	here  map[place]int
	swept time.Time

	asking sync.Mutex
	// missing has until when nobody is asked again; limits has those of each node.
	missing map[claim]time.Time
	limits  map[string]*rate.Limiter
}

type podName struct{ namespace, name string }

type place struct{ node, namespace string }

// claim is that a pod is on a node.
type claim struct {
	node string
	pod  podName
}

type pod struct {
	uid         string
	node, model string
	versions    []string  // a label may be changed; the sidecar keeps to the first
	gone        time.Time // zero: it is there
}

// PodsConfig is where to ask about pods that nobody has heard of. All of it may be
// zero.
type PodsConfig struct {
	// Live reads a pod from the API server. Nil: what was not heard of is not there.
	Live func(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	// Remembered asks the other replicas which pods of a name they have taken samples
	// of since a time. An error: it can't be said yet. Nil: what came and went while
	// this one was away is not known.
	Remembered func(ctx context.Context, namespace, name string, since time.Time) ([]Seen, error)
	Now        func() time.Time // nil: time.Now
}

// Seen is a pod as another replica knew it.
type Seen struct{ Node, Model, Version string }

// NewPods knows of none.
func NewPods(cfg PodsConfig) *Pods {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Pods{
		cfg: cfg, pods: map[podName][]*pod{}, here: map[place]int{},
		missing: map[claim]time.Time{}, limits: map[string]*rate.Limiter{},
	}
}

// Synced tells when all pods that there are have been heard of. Until it is set
// and true, nothing is known of any.
func (p *Pods) Synced(f func() bool) { p.synced.Store(&f) }

func (p *Pods) know() bool {
	f := p.synced.Load()
	return f != nil && (*f)()
}

// Handler hears of pods from an informer.
func (p *Pods) Handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { p.set(o, true) },
		UpdateFunc: func(_, o any) { p.set(o, true) },
		DeleteFunc: func(o any) {
			if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			p.remove(o)
		},
	}
}

// set notes a pod. One that was looked up and not heard of may be gone by now: until
// it is heard of it is taken for gone.
func (p *Pods) set(o any, heard bool) {
	it, ok := o.(*corev1.Pod)
	if !ok || it.Labels[v1alpha1.LabelModel] == "" || it.Spec.NodeName == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	known := p.find(it)
	if known == nil {
		known = &pod{uid: string(it.UID), node: it.Spec.NodeName, gone: p.cfg.Now()}
		name := podName{it.Namespace, it.Name}
		p.pods[name] = append(p.pods[name], known)
	}
	if heard && !known.gone.IsZero() {
		known.gone = time.Time{}
		p.here[place{known.node, it.Namespace}]++
	}
	known.model = it.Labels[v1alpha1.LabelModel]
	if v := it.Labels[v1alpha1.LabelVersion]; v != "" && !slices.Contains(known.versions, v) {
		known.versions = append(known.versions, v)
	}
}

func (p *Pods) remove(o any) {
	it, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.find(it); known != nil && known.gone.IsZero() {
		known.gone = p.cfg.Now()
		at := place{known.node, it.Namespace}
		if p.here[at]--; p.here[at] == 0 {
			delete(p.here, at)
		}
	}
}

func (p *Pods) find(it *corev1.Pod) *pod {
	for _, known := range p.pods[podName{it.Namespace, it.Name}] {
		if known.uid == string(it.UID) {
			return known
		}
	}
	return nil
}

// sweep forgets, once a minute, who is gone for long. The lock is held.
func (p *Pods) sweep() {
	now := p.cfg.Now()
	if now.Sub(p.swept) < time.Minute {
		return
	}
	p.swept = now
	for name, all := range p.pods {
		all = slices.DeleteFunc(all, func(one *pod) bool { return !one.gone.IsZero() && now.Sub(one.gone) > goneFor })
		if p.pods[name] = all; len(all) == 0 {
			delete(p.pods, name)
		}
	}
}

// on says whether a model pod of the namespace is on the node.
func (p *Pods) on(node, namespace string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.here[place{node, namespace}] > 0
}

// speaks says whether a node may speak for a pod, and of that model and version;
// either may be empty.
func (p *Pods) speaks(ctx context.Context, node, namespace, name, model, version string) error {
	known, err := p.heard(node, namespace, name, model, version)
	if known && (err == nil || p.cfg.Remembered == nil) {
		return err
	}
	ask := []func(context.Context, podName, time.Time) error{p.lookUp, p.recall}
	if known {
		ask = ask[1:]
	} else {
		err = fmt.Errorf("%w: %s/%s on node %q", ErrUnknownPod, namespace, name, node)
		if !p.know() {
			return fmt.Errorf("%w: %w: not all pods have been heard of yet", ErrUnavailable, err)
		}
	}
	key, now := claim{node, podName{namespace, name}}, p.cfg.Now()
	switch missing, may := p.mayAsk(key, now); {
	case missing, !may && known:
		return err
	case !may:
		return fmt.Errorf("%w: %w: node %q speaks of too many", ErrUnavailable, err, node)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for _, ask := range ask {
		switch failed := ask(ctx, key.pod, now); {
		case failed != nil && known:
			return err
		case failed != nil:
			return fmt.Errorf("%w: %w: %w", ErrUnavailable, err, failed)
		}
		if again, denied := p.heard(node, namespace, name, model, version); again {
			if denied == nil {
				return nil
			}
			err = denied
		}
	}
	p.missed(key, now)
	return err
}

// heard is speaks for pods that were heard of.
func (p *Pods) heard(node, namespace, name, model, version string) (known bool, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := p.pods[podName{namespace, name}]
	if len(all) == 0 {
		return false, nil
	}
	// A StatefulSet gives a name to one pod after another.
	for _, one := range slices.Backward(all) {
		if one.node == node && (model == "" || one.model == model) && (version == "" || slices.Contains(one.versions, version)) {
			return true, nil
		}
	}
	switch last := all[len(all)-1]; {
	case !last.gone.IsZero(): // there may be another by now
		return false, nil
	case last.node != node:
		return true, fmt.Errorf("%w: pod %s/%s is not on node %q", ErrForeign, namespace, name, node)
	case model != "" && last.model != model:
		return true, fmt.Errorf("%w: pod %s/%s is of model %q by its label, not of %q", ErrForeign, namespace, name, last.model, model)
	default:
		return true, fmt.Errorf("%w: pod %s/%s is of version %q by its label, not of %q", ErrForeign, namespace, name, last.versions, version)
	}
}

// lookUp looks at the API server for a pod that nobody has heard of: the watch may be
// late, or cut off.
func (p *Pods) lookUp(ctx context.Context, name podName, _ time.Time) error {
	if p.cfg.Live == nil {
		return nil
	}
	it, err := p.cfg.Live(ctx, name.namespace, name.name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		p.set(it, false)
	}
	return err
}

// recall asks the other replicas about pods that came and went while this one was
// away, and notes them as ones that are gone, before those that it knows itself.
func (p *Pods) recall(ctx context.Context, name podName, now time.Time) error {
	if p.cfg.Remembered == nil {
		return nil
	}
	seen, err := p.cfg.Remembered(ctx, name.namespace, name.name, now.Add(-goneFor))
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range seen {
		all := p.pods[name]
		i := slices.IndexFunc(all, func(one *pod) bool { return one.node == s.Node && one.model == s.Model })
		switch {
		case i < 0:
			p.pods[name] = slices.Insert(all, 0, &pod{node: s.Node, model: s.Model, versions: []string{s.Version}, gone: now})
		case !slices.Contains(all[i].versions, s.Version):
			all[i].versions = append(all[i].versions, s.Version)
		}
	}
	return nil
}

// missed notes that nobody knows of a claim.
func (p *Pods) missed(key claim, now time.Time) {
	p.asking.Lock()
	defer p.asking.Unlock()
	if len(p.missing) >= maxStrangers {
		clear(p.missing)
	}
	p.missing[key] = now.Add(missingFor)
}

// mayAsk says whether nobody is known to know of a claim, and if not, whether a
// node's agent may have the API server and the others asked once more.
func (p *Pods) mayAsk(key claim, now time.Time) (missing, may bool) {
	p.asking.Lock()
	defer p.asking.Unlock()
	if until, asked := p.missing[key]; asked && now.Before(until) {
		return true, false
	}
	l := p.limits[key.node]
	if l == nil {
		l = rate.NewLimiter(asksPerSecond, asksAtOnce)
		p.limits[key.node] = l
	}
	return false, l.AllowN(now, 1)
}
