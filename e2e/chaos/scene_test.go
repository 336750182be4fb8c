package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/leeway-dev/leeway/e2e/plane"
)

type podUID = types.UID

var (
	guards    = schema.GroupVersionResource{Group: "leeway.dev", Version: "v1alpha1", Resource: "modelguards"}
	decisions = schema.GroupVersionResource{Group: "leeway.dev", Version: "v1alpha1", Resource: "modeldecisions"}
)

// release is one version of a model.
type release struct {
	home centre
	fail float64
}

// act is what Leeway has to do in a scene, once.
type act struct{ cause, action, from, to string }

// story is one kind of trouble.
type story struct {
	name     string
	releases []release
	trouble  centre // where the inputs go, once the last release is in service; empty: that release is the trouble
	autonomy string // for bad releases
	want     []act
}

// stories are those that are told side by side. More than two models whose inputs
// drift at once would be held as correlated, which is another story.
func stories() []story {
	back := act{"bad_release", "rollback", "2", "1"}
	return []story{
		{"release", []release{{cold, 0}, {cold, 0.5}}, "", "Auto", []act{back}},
		{"approval", []release{{cold, 0}, {cold, 0.5}}, "", "Approve", []act{back}},
		{"return", []release{{warm, 0}, {cold, 0}}, warm, "Auto", []act{{"input_drift", "rollback", "2", "1"}}},
		{"training", []release{{cold, 0}}, hot, "Auto", []act{{"input_drift", "retrain", "1", ""}, {"input_drift", "rollback", "1", "2"}}},
	}
}

// scene is a story told in a namespace of its own.
type scene struct {
	story
	namespace string
	began     time.Time // the trouble
	ended     time.Time

	mu    sync.Mutex
	homes map[string]centre // of versions
	all   centre            // where all rows come from; empty: each version gets those that it is at home in
	stop  context.CancelFunc
}

func (m *scene) rowsFor(version string) centre {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all != "" {
		return m.all
	}
	return m.homes[version]
}

// wants is the version that is in service at the end.
func (m *scene) wants() string { return m.want[len(m.want)-1].to }

// stage tells the beginning of a story: up to where the trouble begins.
func (w *world) stage(ctx context.Context, s story, namespace string) (*scene, error) {
	m := &scene{story: s, namespace: namespace, homes: map[string]centre{}}
	w.mu.Lock()
	w.scenes[namespace] = m
	w.mu.Unlock()
	if err := w.furnish(ctx, m); err != nil {
		return nil, fmt.Errorf("%s: %w", namespace, err)
	}
	asking, stop := context.WithCancel(w.ctx)
	m.stop = stop
	w.ended.Go(func() { w.ask(asking, m, uint64(len(namespace))) })
	if err := w.proven(ctx, m, "1", 12*time.Second); err != nil {
		return nil, fmt.Errorf("%s: %w", namespace, err)
	}
	if m.trouble == "" || len(m.releases) < 2 {
		return m, nil
	}
	if err := w.deploy(ctx, m, "2"); err != nil {
		return nil, err
	}
	// Settled for longer than the windows, else the drift would not count yet.
	return m, w.proven(ctx, m, "2", 22*time.Second)
}

// upset begins the trouble.
func (w *world) upset(ctx context.Context, m *scene) error {
	m.began = time.Now()
	if m.trouble == "" {
		return w.deploy(ctx, m, "2")
	}
	m.mu.Lock()
	m.all = m.trouble
	m.mu.Unlock()
	return nil
}

// furnish makes the namespace and all that is in it.
func (w *world) furnish(ctx context.Context, m *scene) error {
	if _, err := w.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: m.namespace}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := w.kube.RbacV1().RoleBindings(m.namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "leeway-actor"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "leeway-actor"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "leeway-controller", Namespace: system}},
	}, metav1.CreateOptions{}); err != nil {
		return err
	}
	for i, r := range m.releases {
		version := fmt.Sprint(i + 1)
		if err := os.WriteFile(w.artifact(m, version), fmt.Appendf(nil, `{"failRatio": %g}`, r.fail), 0o600); err != nil {
			return err
		}
		number, err := w.cli(ctx, "register", "--store", "kube:"+m.namespace, "--model", "m", "--artifact", "file://"+w.artifact(m, version),
			"--profile", w.path(string(r.home)+".json"), "--metric", "mae=1")
		if err != nil {
			return err
		}
		if number != version {
			return fmt.Errorf("registered as version %s, want %s", number, version)
		}
		m.homes[version] = r.home
	}
	suspend, never := true, int32(0)
	if _, err := w.kube.BatchV1().CronJobs(m.namespace).Create(ctx, &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "train"},
		Spec: batchv1.CronJobSpec{Suspend: &suspend, Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
			BackoffLimit: &never,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"chaos": "job"}},
				Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "train", Image: "none"}}}},
		}}},
	}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := w.kube.AppsV1().Deployments(m.namespace).Create(ctx, w.deployment(m, "1"), metav1.CreateOptions{FieldManager: "release"}); err != nil {
		return err
	}
	_, err := w.dynamic.Resource(guards).Namespace(m.namespace).Create(ctx, w.guard(m), metav1.CreateOptions{})
	return err
}

func (w *world) artifact(m *scene, version string) string {
	return w.path(m.namespace + "-" + version + ".json")
}

func (w *world) deployment(m *scene, version string) *appsv1.Deployment {
	replicas, always := int32(2), corev1.ContainerRestartPolicyAlways
	r := m.releases[int(version[0]-'1')]
	labels := map[string]string{"chaos": "model", "leeway.dev/model": "m", "leeway.dev/version": version}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "m"}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"leeway.dev/model": "m"}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{"leeway.dev/profile-digest": w.digests[r.home]}},
			Spec: corev1.PodSpec{
				InitContainers: []corev1.Container{{Name: "leeway-sidecar", Image: "none", RestartPolicy: &always,
					Ports: []corev1.ContainerPort{{Name: "leeway-admin", ContainerPort: 9095}}}},
				Containers: []corev1.Container{{Name: "model", Image: "none", Env: []corev1.EnvVar{{Name: "MODEL_URI", Value: "file://" + w.artifact(m, version)}}}},
			},
		},
	}}
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: everythingAtOnce()}
	return d
}

// deploy is what a person or a pipeline does.
func (w *world) deploy(ctx context.Context, m *scene, version string) error {
	deployments := w.kube.AppsV1().Deployments(m.namespace)
	return plane.Await(ctx, 10*time.Second, func() error {
		d, err := deployments.Get(ctx, "m", nothing)
		if err != nil {
			return err
		}
		d.Spec.Template = w.deployment(m, version).Spec.Template
		_, err = deployments.Update(ctx, d, metav1.UpdateOptions{FieldManager: "release"})
		return err
	})
}

// everythingAtOnce makes all new pods before it removes an old one.
func everythingAtOnce() *appsv1.RollingUpdateDeployment {
	none, all := intstr.FromInt32(0), intstr.FromString("100%")
	return &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &all}
}

func (w *world) guard(m *scene) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "leeway.dev/v1alpha1", "kind": "ModelGuard", "metadata": map[string]any{"name": "m"},
		"spec": map[string]any{
			"model": "m", "workload": map[string]any{"name": "m"},
			"artifact": map[string]any{"container": "model", "env": "MODEL_URI", "allow": []any{"file://" + w.dir + "/*"}},
			"autonomy": map[string]any{"default": "Auto", "badRelease": m.autonomy, "inputDrift": "Auto", "retrain": "Auto"},
			"match":    map[string]any{"window": "15s", "minSamples": int64(300), "tolerance": "0.2"},
			"verify":   map[string]any{"for": "5s", "goodAfter": "8s"},
			"limits":   map[string]any{"cooldown": "1s", "changesPerDay": int64(20), "retrainsPerWeek": int64(5), "returnAfter": "60s"},
			"retrain":  map[string]any{"from": map[string]any{"cronJob": "train"}, "timeout": "5m"},
			"gate":     []any{map[string]any{"metric": "mae", "max": "1.05", "relativeTo": "live"}},
		},
	}}
}

// proven waits until a version has been settled and clean for so long.
func (w *world) proven(ctx context.Context, m *scene, version string, long time.Duration) error {
	return plane.Await(ctx, 90*time.Second, func() error {
		g, err := w.dynamic.Resource(guards).Namespace(m.namespace).Get(ctx, "m", nothing)
		if err != nil {
			return err
		}
		status, _, _ := unstructured.NestedMap(g.Object, "status")
		settled, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(status["settledAt"]))
		if status["phase"] != "Watching" || status["activeVersion"] != version || settled.IsZero() || time.Since(settled) < long {
			return fmt.Errorf("the guard is %v (%v: %v) with version %v, settled %v", status["phase"], status["reason"], status["message"], status["activeVersion"], status["settledAt"])
		}
		return nil
	})
}

// decision is what is read of a ModelDecision.
type decision struct {
	Metadata struct{ Name string }
	Spec     struct{ Cause, Action, From, To, Reason string }
	Status   struct {
		State, Reason, Message, Outcome string
		Steps                           []struct{ Name string }
	}
}

// act is what the decision does. A trained version that had to wait is one of
// those that can be gone back to: the same change by another name.
func (d decision) act() act {
	action := d.Spec.Action
	if action == "redeploy" {
		action = "rollback"
	}
	return act{d.Spec.Cause, action, d.Spec.From, d.Spec.To}
}

func (d decision) String() string {
	var steps []string
	for _, s := range d.Status.Steps {
		steps = append(steps, s.Name)
	}
	return fmt.Sprintf("%s: %s %s %s→%s: %s (%s) %s: %s [%s]", d.Metadata.Name, d.Spec.Cause, d.Spec.Action, d.Spec.From, d.Spec.To,
		d.Status.State, d.Status.Reason, d.Status.Outcome, d.Status.Message, strings.Join(steps, " "))
}

// open says that a decision is not at its end.
func (d decision) open() bool {
	switch d.Status.State {
	case "Done", "Held", "Superseded", "Failed", "Proposed":
		return false
	}
	return true
}

func (w *world) decided(ctx context.Context, namespace string) ([]decision, error) {
	l, err := w.dynamic.Resource(decisions).Namespace(namespace).List(ctx, metav1.ListOptions{})
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

// finished says why the story is not told to its end, or nil.
func (w *world) finished(ctx context.Context, m *scene) error {
	all, err := w.decided(ctx, m.namespace)
	if err != nil {
		return err
	}
	done := map[act]int{}
	for _, d := range all {
		if d.open() {
			return fmt.Errorf("open: %s", d)
		}
		if d.Status.State == "Done" {
			done[d.act()]++
		}
	}
	for _, a := range m.want {
		if done[a] == 0 {
			return fmt.Errorf("%v is not done, only %v", a, all)
		}
	}
	d, err := w.kube.AppsV1().Deployments(m.namespace).Get(ctx, "m", nothing)
	if err != nil {
		return err
	}
	s := d.Status
	if v := d.Spec.Template.Labels["leeway.dev/version"]; v != m.wants() || s.ObservedGeneration < d.Generation || s.UpdatedReplicas != 2 || s.Replicas != 2 || s.AvailableReplicas != 2 {
		return fmt.Errorf("version %s serves, %d of 2, want version %s", v, s.UpdatedReplicas, m.wants())
	}
	return nil
}

// approve approves what waits for it, and says whether something did.
func (w *world) approve(ctx context.Context, m *scene) (bool, error) {
	all, err := w.decided(ctx, m.namespace)
	if err != nil {
		return false, err
	}
	for _, d := range all {
		if d.Status.State != "AwaitingApproval" {
			continue
		}
		_, err := w.dynamic.Resource(decisions).Namespace(m.namespace).Patch(ctx, d.Metadata.Name, types.MergePatchType,
			[]byte(`{"metadata":{"annotations":{"leeway.dev/approved-by":"ann"}}}`), metav1.PatchOptions{FieldManager: "ann"})
		return err == nil, err
	}
	return false, nil
}

// strike clears a scene away.
func (w *world) strike(ctx context.Context, m *scene) error {
	m.stop()
	w.mu.Lock()
	delete(w.scenes, m.namespace)
	w.mu.Unlock()
	return w.kube.CoreV1().Namespaces().Delete(ctx, m.namespace, metav1.DeleteOptions{})
}
