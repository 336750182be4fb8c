package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	guards    = schema.GroupVersionResource{Group: "leeway.dev", Version: "v1alpha1", Resource: "modelguards"}
	decisions = schema.GroupVersionResource{Group: "leeway.dev", Version: "v1alpha1", Resource: "modeldecisions"}
	versions  = schema.GroupVersionResource{Group: "leeway.dev", Version: "v1alpha1", Resource: "modelversions"}
)

// What a fleet is made of.
const (
	podsOfNode       = 10
	modelsOfTeam     = 50 // in one namespace
	versionLabel     = "leeway.dev/version"
	modelLabel       = "leeway.dev/model"
	writersAtOnce    = 16
	good, bad        = "1", "2"
	releaseManager   = "release"
	deploymentPlayer = "deployment-player"
)

// model is one Deployment with a guard.
type model struct {
	namespace, name string
	pods            []*fleetPod
	version         string // that its pods serve; under fleet.mu
}

// fleetPod is a pod whose metrics are sent.
type fleetPod struct {
	name, node, ip string
	model          *model
	serves         *sidecar
	labels         [][]label // of each line of what it serves
}

// fleet is all models, and what is sent for them.
type fleet struct {
	s      *stage
	of     map[string]*exposition // by version
	mu     sync.Mutex
	models []*model
	nodes  map[string][]*fleetPod
	tokens map[string]string // by node
}

// newFleet makes all objects. Statuses are written as controllers and kubelets
// would: there are none.
func newFleet(ctx context.Context, s *stage, of map[string]*exposition, pods, models int) (*fleet, error) {
	f := &fleet{s: s, of: of, nodes: map[string][]*fleetPod{}, tokens: map[string]string{}}
	for i := range models {
		f.models = append(f.models, &model{namespace: fmt.Sprintf("team-%d", i/modelsOfTeam), name: fmt.Sprintf("m-%d", i), version: good})
	}
	for i := range pods {
		m := f.models[i%models]
		p := &fleetPod{name: fmt.Sprintf("%s-%d", m.name, i), node: fmt.Sprintf("node-%d", i/podsOfNode), ip: fmt.Sprintf("127.3.%d.%d", i/250, i%250+1), model: m}
		m.pods = append(m.pods, p)
		f.nodes[p.node] = append(f.nodes[p.node], p)
		f.play(p, uint64(i))
	}
	templates, err := f.templates(ctx)
	if err != nil {
		return nil, err
	}
	if err := each(f.nodes, func(node string) error { return f.furnishNode(ctx, node) }); err != nil {
		return nil, err
	}
	teams := map[string]bool{}
	byName := map[string]*model{}
	for _, m := range f.models {
		teams[m.namespace], byName[m.name] = true, m
	}
	if err := each(teams, func(team string) error { return f.furnishTeam(ctx, team) }); err != nil {
		return nil, err
	}
	return f, each(byName, func(name string) error { return f.furnishModel(ctx, byName[name], templates) })
}

// each does something for all keys, some at once.
func each[V any](m map[string]V, do func(key string) error) error {
	keys, first := make(chan string), atomic.Pointer[error]{}
	var workers sync.WaitGroup
	for range writersAtOnce {
		workers.Go(func() {
			for key := range keys {
				if err := do(key); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	for key := range m {
		if first.Load() == nil {
			keys <- key
		}
	}
	close(keys)
	workers.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}

// play lets a pod say what a sidecar of its model's version says.
func (f *fleet) play(p *fleetPod, seed uint64) {
	e := f.of[p.model.version]
	p.serves, p.labels = e.newSidecar(seed), nil
	for _, l := range e.lines {
		if l.series {
			p.labels = append(p.labels, labelsOf(l.text, label{"namespace", p.model.namespace}, label{"pod", p.name}, label{"node", p.node},
				label{"workload", p.model.name}, label{"job", "leeway-sidecar"}, label{"instance", p.ip + ":9095"},
				label{"model_name", p.model.name}, label{"model_version", p.model.version}))
		} else {
			p.labels = append(p.labels, nil)
		}
	}
}

// decided are all decisions, as far as they are read here.
func (s *stage) decided(ctx context.Context) ([]decision, error) {
	l, err := s.dynamic.Resource(decisions).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	b, err := l.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var list struct{ Items []decision }
	err = json.Unmarshal(b, &list)
	return list.Items, err
}
