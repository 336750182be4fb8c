package trainers_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

// kubelet plays the kubelet for the pods of Jobs, one after the other.
type kubelet struct {
	kube      kubernetes.Interface
	server    string
	namespace string
	dir       string
	command   []string // of every container
	path      string   // the container's PATH
	env       []string // what its image would have set

	mu   sync.Mutex
	logs []podLog
}

// podLog is what a pod of a Job said.
type podLog struct {
	pod, job, text string
	failed         bool
	env            []string
}

// run looks for new pods until ctx ends.
func (k *kubelet) run(ctx context.Context, say func(string, ...any)) {
	for plane.Pause(ctx, 200*time.Millisecond) == nil {
		pods, err := k.kube.CoreV1().Pods(k.namespace).List(ctx, metav1.ListOptions{LabelSelector: "job-name"})
		if err != nil {
			continue
		}
		for i := range pods.Items {
			p := &pods.Items[i]
			if p.DeletionTimestamp != nil { // a Job that has failed lets its pods go
				now := int64(0)
				_ = k.kube.CoreV1().Pods(k.namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
				continue
			}
			if p.Status.Phase != corev1.PodPending {
				continue
			}
			if err := k.work(ctx, p); err != nil && ctx.Err() == nil {
				say("kubelet: pod %s: %v", p.Name, err)
			}
		}
	}
}

// work runs a pod's container to its end.
func (k *kubelet) work(ctx context.Context, p *corev1.Pod) error {
	if err := k.status(ctx, p, corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}); err != nil {
		return err
	}
	env, err := k.environment(ctx, p)
	if err != nil {
		return err
	}
	said, failed := k.execute(ctx, p.Name, env)
	k.mu.Lock()
	k.logs = append(k.logs, podLog{p.Name, p.Labels["job-name"], said, failed, env})
	k.mu.Unlock()
	phase, ended := corev1.PodSucceeded, corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: metav1.Now(), FinishedAt: metav1.Now()}
	if failed {
		phase, ended.Reason, ended.ExitCode = corev1.PodFailed, "Error", 1
	}
	return k.status(ctx, p, phase, corev1.ContainerState{Terminated: &ended})
}

// execute runs the command of the image in a folder of its own for /tmp.
func (k *kubelet) execute(ctx context.Context, name string, env []string) (said string, failed bool) {
	tmp, err := os.MkdirTemp(k.dir, name+"-")
	if err != nil {
		return err.Error(), true
	}
	defer os.RemoveAll(tmp)
	out := &child.Output{}
	cmd := child.Command(ctx, k.command[0], k.command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = tmp, out, out
	cmd.Env = append([]string{"TMPDIR=" + tmp, "HOME=/nonexistent"}, env...)
	if err := cmd.Run(); err != nil {
		return cmp.Or(out.String(), err.Error()), true
	}
	return out.String(), false
}

// environment is what the container gets: from its image, its Secrets and its
// manifest, and, in the place of the token that a kubelet mounts, a kubeconfig.
func (k *kubelet) environment(ctx context.Context, p *corev1.Pod) ([]string, error) {
	to := &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.Name, UID: p.UID}
	token, err := plane.NewToken(ctx, k.kube, p.Namespace, p.Spec.ServiceAccountName, "", to)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(k.dir, p.Name+".kubeconfig")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {token: %s}}],
clusters: [{name: c, cluster: {server: "%s", insecure-skip-tls-verify: true}}], contexts: [{name: c, context: {cluster: c, user: u, namespace: %s}}]}`,
		token, k.server, p.Namespace), 0o600); err != nil {
		return nil, err
	}
	env := append([]string{"PATH=" + k.path, "KUBECONFIG=" + config}, k.env...)
	c := p.Spec.Containers[0]
	for _, from := range c.EnvFrom {
		secret, err := k.kube.CoreV1().Secrets(p.Namespace).Get(ctx, from.SecretRef.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		for name, value := range secret.Data {
			env = append(env, name+"="+string(value))
		}
	}
	for _, e := range c.Env {
		env = append(env, e.Name+"="+e.Value)
	}
	return env, nil
}

func (k *kubelet) status(ctx context.Context, p *corev1.Pod, phase corev1.PodPhase, state corev1.ContainerState) error {
	pods := k.kube.CoreV1().Pods(p.Namespace)
	return plane.Await(ctx, 10*time.Second, func() error {
		now, err := pods.Get(ctx, p.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now.Status.Phase = phase
		now.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: p.Spec.Containers[0].Name, Image: "none", ImageID: "none", ContainerID: "played://" + string(p.UID), State: state}}
		_, err = pods.UpdateStatus(ctx, now, metav1.UpdateOptions{})
		return err
	})
}

// of gives what the pods of a Job have said, in order.
func (k *kubelet) of(job string) (logs []podLog) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.logs {
		if l.job == job {
			logs = append(logs, l)
		}
	}
	return logs
}
