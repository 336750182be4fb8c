package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/leeway-dev/leeway/e2e/child"
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

func (f *fleet) furnishNode(ctx context.Context, node string) error {
	if err := f.s.newNode(ctx, node); err != nil {
		return err
	}
	id, err := f.s.identify(ctx, node, "leeway-"+node, "leeway-node")
	if err != nil {
		return err
	}
	token, err := os.ReadFile(id.token)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens[node] = string(token)
	return nil
}

func (f *fleet) furnishTeam(ctx context.Context, team string) error {
	if _, err := f.s.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err := f.s.kube.RbacV1().RoleBindings(team).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "leeway-actor"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "leeway-actor"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "leeway-controller", Namespace: system}},
	}, metav1.CreateOptions{})
	return err
}

// templates are two versions as the command line registers them; the others are
// written like them, without running it a thousand times.
func (f *fleet) templates(ctx context.Context) (map[string]*unstructured.Unstructured, error) {
	if _, err := f.s.plane.Kubectl(ctx, "create", "namespace", "template"); err != nil {
		return nil, err
	}
	all := map[string]*unstructured.Unstructured{}
	for _, v := range []string{good, bad} {
		if err := os.WriteFile(f.artifact(v), []byte(v), 0o600); err != nil {
			return nil, err
		}
		cmd := child.Command(ctx, f.s.path("leeway"), "register", "--store", "kube:template", "--model", "m", "--artifact", "file://"+f.artifact(v))
		cmd.Env = append(os.Environ(), "KUBECONFIG="+f.s.plane.Kubeconfig)
		if _, err := child.Run(cmd); err != nil {
			return nil, err
		}
		got, err := f.s.dynamic.Resource(versions).Namespace("template").Get(ctx, "m-"+v, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		all[v] = got
	}
	return all, nil
}

func (f *fleet) artifact(version string) string { return f.s.path("artifact-" + version) }

func (f *fleet) furnishModel(ctx context.Context, m *model, templates map[string]*unstructured.Unstructured) error {
	for v, t := range templates {
		o := t.DeepCopy()
		o.Object["metadata"] = map[string]any{"name": m.name + "-" + v, "namespace": m.namespace, "labels": replaced(o.GetLabels(), "m", m.name)}
		if err := unstructured.SetNestedField(o.Object, m.name, "spec", "model"); err != nil {
			return err
		}
		if _, err := f.s.dynamic.Resource(versions).Namespace(m.namespace).Create(ctx, o, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for _, p := range m.pods {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: p.name, Labels: podLabels(m, good)}, Spec: corev1.PodSpec{NodeName: p.node}}
		if err := f.s.newPod(ctx, pod, p.ip); err != nil {
			return err
		}
	}
	d, err := f.s.kube.AppsV1().Deployments(m.namespace).Create(ctx, f.deployment(m, good), metav1.CreateOptions{FieldManager: releaseManager})
	if err != nil {
		return err
	}
	if err := f.rolledOut(ctx, m, d); err != nil {
		return err
	}
	_, err = f.s.dynamic.Resource(guards).Namespace(m.namespace).Create(ctx, f.guard(m), metav1.CreateOptions{})
	return err
}

func replaced(labels map[string]string, old, now string) map[string]any {
	out := map[string]any{}
	for k, v := range labels {
		if v == old {
			v = now
		}
		out[k] = v
	}
	return out
}

func podLabels(m *model, version string) map[string]string {
	return map[string]string{"app": m.name, modelLabel: m.name, versionLabel: version}
}

func (f *fleet) deployment(m *model, version string) *appsv1.Deployment {
	replicas, always := int32(len(m.pods)), corev1.ContainerRestartPolicyAlways
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: m.name, Namespace: m.namespace}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": m.name}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: podLabels(m, version)},
			Spec: corev1.PodSpec{
				InitContainers: []corev1.Container{{Name: "leeway-sidecar", Image: "none", RestartPolicy: &always,
					Ports: []corev1.ContainerPort{{Name: "leeway-admin", ContainerPort: adminPort}}}},
				Containers: []corev1.Container{{Name: "model", Image: "none", Env: []corev1.EnvVar{{Name: "MODEL_URI", Value: "file://" + f.artifact(version)}}}},
			},
		},
	}}
}

// rolledOut writes the status of a Deployment whose pods are all as it says.
func (f *fleet) rolledOut(ctx context.Context, m *model, d *appsv1.Deployment) error {
	n := int32(len(m.pods))
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
	_, err := f.s.kube.AppsV1().Deployments(m.namespace).UpdateStatus(ctx, d, metav1.UpdateOptions{FieldManager: deploymentPlayer})
	return err
}

func (f *fleet) guard(m *model) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "leeway.dev/v1alpha1", "kind": "ModelGuard", "metadata": map[string]any{"name": m.name},
		"spec": map[string]any{
			"model": m.name, "workload": map[string]any{"name": m.name},
			"artifact": map[string]any{"container": "model", "env": "MODEL_URI", "allow": []any{"file://" + f.s.dir + "/*"}},
			"autonomy": map[string]any{"default": "Auto"},
			"verify":   map[string]any{"for": "20s", "goodAfter": "45s"},
			"limits":   map[string]any{"cooldown": "1s", "changesPerDay": int64(20)},
		},
	}}
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
