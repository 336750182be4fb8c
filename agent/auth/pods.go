package auth

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const (
	// goneFor is how long a pod that was deleted is remembered: for as long as
	// samples of it may wait in a node agent's buffer, and be taken by the TSDB.
	goneFor = 3 * time.Hour
	// strangeFor is how long a pod that nobody knows may still turn up: its node's
	// agent may have heard of it first.
	strangeFor = 5 * time.Second
	// maxStrangers bounds how many of these are remembered.
	maxStrangers = 4096
)

// Pods knows which pods serve models, or did lately, and where. It is what a node
// agent's series are held against: the agent's word for which pod they are of is
// worth as much as its token.
type Pods struct {
	now    func() time.Time
	synced atomic.Pointer[func() bool]

	mu sync.RWMutex
	// pods has those of a name, by their UID: one that was made again may be on
	// another node.
	pods map[podName][]*pod
	// here counts the pods that are not gone.
	here  map[place]int
	swept time.Time

	strangers struct {
		sync.Mutex
		since map[place]time.Time // namespace is namespace/pod
	}
}

type podName struct{ namespace, name string }

type place struct{ node, namespace string }

type pod struct {
	uid         string
	node, model string
	versions    []string  // a label may be changed; the sidecar keeps to the first
	gone        time.Time // zero: it is there
}

// NewPods knows of none. now may be nil: time.Now.
func NewPods(now func() time.Time) *Pods {
	if now == nil {
		now = time.Now
	}
	p := &Pods{now: now, pods: map[podName][]*pod{}, here: map[place]int{}}
	p.strangers.since = map[place]time.Time{}
	return p
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
		AddFunc:    func(o any) { p.set(o) },
		UpdateFunc: func(_, o any) { p.set(o) },
		DeleteFunc: func(o any) {
			if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			p.remove(o)
		},
	}
}

func (p *Pods) set(o any) {
	it, ok := o.(*corev1.Pod)
	if !ok || it.Labels[v1alpha1.LabelModel] == "" || it.Spec.NodeName == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	known := p.find(it)
	if known == nil {
		known = &pod{uid: string(it.UID), node: it.Spec.NodeName}
		name := podName{it.Namespace, it.Name}
		p.pods[name] = append(p.pods[name], known)
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
		known.gone = p.now()
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
	now := p.now()
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
func (p *Pods) speaks(node, namespace, name, model, version string) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := p.pods[podName{namespace, name}]
	for _, known := range all {
		switch {
		case known.node != node:
		case model != "" && known.model != model:
			return fmt.Errorf("%w: pod %s/%s is of model %q by its label, not of %q", ErrForeign, namespace, name, known.model, model)
		case version != "" && !slices.Contains(known.versions, version):
			return fmt.Errorf("%w: pod %s/%s is of version %q by its label, not of %q", ErrForeign, namespace, name, known.versions, version)
		default:
			return nil
		}
	}
	switch {
	case len(all) > 0:
		return fmt.Errorf("%w: pod %s/%s is not on node %q", ErrForeign, namespace, name, node)
	case !p.know() || p.new(node, namespace, name):
		return fmt.Errorf("%w: %w: pod %s/%s", ErrUnavailable, ErrUnknownPod, namespace, name)
	}
	return fmt.Errorf("%w: %s/%s on node %q", ErrUnknownPod, namespace, name, node)
}

// new says that a pod that nobody knows was first spoken of a moment ago.
func (p *Pods) new(node, namespace, name string) bool {
	s := &p.strangers
	s.Lock()
	defer s.Unlock()
	key, now := place{node, namespace + "/" + name}, p.now()
	since, known := s.since[key]
	if !known {
		if len(s.since) >= maxStrangers {
			for k, at := range s.since {
				if now.Sub(at) > time.Minute {
					delete(s.since, k)
				}
			}
			if len(s.since) >= maxStrangers {
				return false
			}
		}
		s.since[key], since = now, now
	}
	return now.Sub(since) < strangeFor
}
