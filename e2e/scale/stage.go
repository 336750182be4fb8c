package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

const system = "leeway-system"

// options are the flags.
type options struct {
	programs string // folder that has the programs already; empty: they are built
	interval time.Duration
	columns  int
	say      func(format string, args ...any)
}

// stage is what all parts play on: a folder, programs, a control plane.
type stage struct {
	options
	dir     string
	module  string // folder of e2e; Leeway is above it
	plane   *plane.Plane
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	began   []*program
}

// newStage builds the programs and starts the control plane. Whether it fails or
// not, close has to follow.
func newStage(ctx context.Context, o options) (*stage, error) {
	s := &stage{options: o}
	var err error
	if s.dir, err = os.MkdirTemp("", "leeway-scale-"); err != nil {
		return s, err
	}
	if s.module, err = filepath.Abs("."); err != nil {
		return s, err
	}
	if filepath.Base(s.module) == "scale" { // the test's
		s.module = filepath.Dir(s.module)
	}
	if err := s.build(ctx); err != nil {
		return s, err
	}
	kube := ""
	if o.programs != "" {
		kube = filepath.Join(o.programs, "kube")
	}
	if s.plane, err = plane.Start(ctx, plane.Options{Dir: s.dir, Module: s.module, Program: kube, Authorization: "RBAC"}); err != nil {
		return s, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.plane.Kubeconfig)
	if err != nil {
		return s, err
	}
	config.QPS, config.Burst = 2000, 4000
	if s.kube, err = kubernetes.NewForConfig(config); err != nil {
		return s, err
	}
	if s.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return s, err
	}
	return s, s.grant(ctx, filepath.Join(filepath.Dir(s.module), "manifests", "base"))
}

// close ends everything and removes the folder.
func (s *stage) close() {
	for i := len(s.began) - 1; i >= 0; i-- {
		s.began[i].stop()
	}
	if s.plane != nil {
		s.plane.Close()
	}
	_ = os.RemoveAll(s.dir)
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// errNoPrometheus is for where its modules can't be had.
var errNoPrometheus = errors.New("prometheus can't be built")

// build makes the programs of the module above, and the Prometheus of the
// version that is in its go.mod, without service discoveries.
func (s *stage) build(ctx context.Context) error {
	names := []string{"leeway", "leeway-agent", "leeway-sidecar", "prometheus"}
	if s.programs != "" {
		for _, name := range names {
			if err := os.Symlink(filepath.Join(s.programs, name), s.path(name)); err != nil {
				return err
			}
		}
		return nil
	}
	top := filepath.Dir(s.module)
	// Prometheus' program needs modules that Leeway does not: they are added to a
	// copy of go.mod.
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(top, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(s.path(name), b, 0o600); err != nil {
			return err
		}
	}
	build := func(args ...string) error {
		cmd := child.Command(ctx, "go", append([]string{"build", "-trimpath", "-o", s.dir + "/"}, args...)...)
		cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
		_, err := child.Run(cmd)
		return err
	}
	if err := build("./cmd/leeway", "./cmd/leeway-agent", "./cmd/leeway-sidecar"); err != nil {
		return err
	}
	err := build("-modfile="+s.path("go.mod"), "-mod=mod", "-tags=remove_all_sd", "github.com/prometheus/prometheus/cmd/prometheus")
	if err != nil {
		return fmt.Errorf("%w: %w", errNoPrometheus, err)
	}
	return nil
}

// grant installs Leeway's kinds and roles.
func (s *stage) grant(ctx context.Context, base string) error {
	for _, args := range [][]string{
		{"create", "namespace", system},
		{"apply", "-f", filepath.Join(base, "crd")},
		{"apply", "-n", system, "-f", filepath.Join(base, "rbac.yaml"), "-f", filepath.Join(base, "role.yaml")},
		{"wait", "--for=condition=Established", "--timeout=1m", "crd", "modelversions.leeway.dev", "modelguards.leeway.dev", "modeldecisions.leeway.dev"},
	} {
		if _, err := s.plane.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// identity is a pod of Leeway's own, with its tokens.
type identity struct {
	config string // file
	token  string // file
}

// identify makes a pod on a node, and a token and a kubeconfig that are bound to it.
func (s *stage) identify(ctx context.Context, node, pod, account string) (identity, error) {
	id := identity{config: s.path(pod + ".kubeconfig"), token: s.path(pod + ".token")}
	return id, plane.Pod{Namespace: system, Name: pod, Account: account, Node: node, Server: s.plane.URL}.Bind(ctx, s.kube, s.path(pod))
}

// newNode makes a node that is not there.
func (s *stage) newNode(ctx context.Context, name string) error {
	_, err := s.kube.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}

// newPod makes a pod of a model that its kubelet would say is ready.
func (s *stage) newPod(ctx context.Context, p *corev1.Pod, ip string) error {
	always := corev1.ContainerRestartPolicyAlways
	p.Spec.InitContainers = []corev1.Container{{Name: "leeway-sidecar", Image: "none", RestartPolicy: &always,
		Ports: []corev1.ContainerPort{{Name: "leeway-admin", ContainerPort: adminPort}}}}
	p.Spec.Containers = []corev1.Container{{Name: "model", Image: "none"}}
	made, err := s.kube.CoreV1().Pods(p.Namespace).Create(ctx, p, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	started := true
	status := func(name string) []corev1.ContainerStatus {
		return []corev1.ContainerStatus{{Name: name, Ready: true, Started: &started, Image: "none", ImageID: "none", ContainerID: "played://" + string(made.UID),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}}
	}
	made.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, StartTime: &metav1.Time{Time: time.Now()},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
		},
		ContainerStatuses: status("model"), InitContainerStatuses: status("leeway-sidecar"),
	}
	_, err = s.kube.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, made, metav1.UpdateOptions{})
	return err
}
