package main

import (
	"context"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/leeway-dev/leeway/e2e/child"
)

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
			"verify":   map[string]any{"for": "20s", "goodAfter": window.String()},
			"limits":   map[string]any{"cooldown": "1s", "changesPerDay": int64(20)},
		},
	}}
}
