package chaos_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/leeway-dev/leeway/e2e/child"
)

// kubelet plays the kubelet, and the scheduler, for the pods of models and Jobs.
type kubelet struct {
	w *world

	mu   sync.Mutex
	made int
	pods map[types.UID]*servedPod
}

// servedPod is a pod that runs here.
type servedPod struct {
	namespace, name, version string
	ip                       string
	ready                    bool
	sidecar                  *exec.Cmd
	stop                     context.CancelFunc
}

// run looks at all pods four times a second, until ctx ends.
func (k *kubelet) run(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		list, err := k.w.kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: "chaos"})
		if err != nil {
			continue
		}
		there := map[types.UID]bool{}
		for i := range list.Items {
			p := &list.Items[i]
			there[p.UID] = true
			if err := k.look(ctx, p); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
				k.w.say("kubelet: pod %s/%s: %v", p.Namespace, p.Name, err)
			}
		}
		k.mu.Lock()
		for uid, p := range k.pods {
			if !there[uid] {
				p.stop()
				delete(k.pods, uid)
			}
		}
		k.mu.Unlock()
	}
}

func (k *kubelet) look(ctx context.Context, p *corev1.Pod) error {
	pods := k.w.kube.CoreV1().Pods(p.Namespace)
	k.mu.Lock()
	runs := k.pods[p.UID]
	k.mu.Unlock()
	switch {
	case p.DeletionTimestamp != nil:
		if runs != nil {
			k.mu.Lock()
			runs.ready = false
			k.mu.Unlock()
			runs.stop()
		}
		now := int64(0)
		return pods.Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &p.UID}})
	case p.Spec.NodeName == "":
		return pods.Bind(ctx, &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, UID: p.UID},
			Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}}, metav1.CreateOptions{})
	case runs != nil:
		return nil
	}
	life, stop := context.WithCancel(ctx)
	runs = &servedPod{namespace: p.Namespace, name: p.Name, version: p.Labels["leeway.dev/version"], stop: stop}
	k.mu.Lock()
	k.made++
	runs.ip = fmt.Sprintf("127.1.%d.%d", k.made/250, k.made%250+1)
	k.pods[p.UID] = runs
	k.mu.Unlock()
	work := k.serve
	if p.Labels["leeway.dev/decision"] != "" {
		work = k.train
	}
	k.w.ended.Go(func() {
		if err := work(life, p, runs); err != nil && life.Err() == nil {
			k.w.say("kubelet: pod %s/%s: %v", p.Namespace, p.Name, err)
		}
	})
	return nil
}

// serve runs a model server and its sidecar, until the pod goes.
func (k *kubelet) serve(ctx context.Context, p *corev1.Pod, runs *servedPod) error {
	artifact := environment(p.Spec.Containers[0], "MODEL_URI")
	model, err := serveModel(ctx, runs.ip+":8080", strings.TrimPrefix(artifact, "file://"))
	if err != nil {
		return err
	}
	defer model.Close()
	runs.sidecar = child.Command(ctx, k.w.path("leeway-sidecar"), "--model="+p.Labels["leeway.dev/model"], "--version="+runs.version,
		"--profile-digest="+p.Annotations["leeway.dev/profile-digest"], "--listen="+runs.ip+":8090", "--admin-listen="+runs.ip+":9095",
		"--upstream=http://"+runs.ip+":8080", "--log-level=error")
	gone, err := k.w.run(runs.sidecar, "sidecars.log")
	if err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond) // a server that loads something
	started := true
	if err := k.status(ctx, p, corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: runs.ip, PodIPs: []corev1.PodIP{{IP: runs.ip}}, StartTime: &metav1.Time{Time: time.Now()},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
		},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "model", Ready: true, Started: &started, Image: "none", ImageID: "none", ContainerID: "played://" + string(p.UID),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}},
		InitContainerStatuses: []corev1.ContainerStatus{{Name: "leeway-sidecar", Ready: true, Started: &started, Image: "none", ImageID: "none", ContainerID: "played://" + string(p.UID),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}},
	}); err != nil {
		return err
	}
	k.mu.Lock()
	runs.ready = true
	k.mu.Unlock()
	<-gone
	return nil
}

// train does what the Job does: it registers a version that is at home in
// today's rows, and was evaluated beside the one in service.
func (k *kubelet) train(ctx context.Context, p *corev1.Pod, _ *servedPod) error {
	time.Sleep(time.Second)
	c := p.Spec.Containers[0]
	parent := environment(c, "LEEWAY_PARENT_VERSION")
	artifact := k.w.path(p.Name + ".json")
	if err := os.WriteFile(artifact, []byte(`{}`), 0o600); err != nil {
		return err
	}
	number, err := k.w.cli(ctx, "register", "--store", "kube:"+p.Namespace, "--model", environment(c, "LEEWAY_MODEL"), "--artifact", "file://"+artifact,
		"--profile", k.w.path(string(hot)+".json"), "--metric", "mae=1", "--parent", parent, "--decision", environment(c, "LEEWAY_DECISION"),
		"--evaluation", "self@holdout:mae=1", "--evaluation", parent+"@holdout:mae=5")
	if err != nil {
		return err
	}
	k.w.say("the Job of %s has registered version %s", p.Namespace, number)
	k.w.home(p.Namespace, number, hot)
	return k.status(ctx, p, corev1.PodStatus{
		Phase: corev1.PodSucceeded, StartTime: &metav1.Time{Time: time.Now()},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "PodCompleted"}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: c.Name, Image: "none", ImageID: "none", ContainerID: "played://" + string(p.UID),
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: metav1.Now(), FinishedAt: metav1.Now()}}}},
	})
}

func (k *kubelet) status(ctx context.Context, p *corev1.Pod, s corev1.PodStatus) error {
	for {
		now, err := k.w.kube.CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now.Status = s
		if _, err = k.w.kube.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, now, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
			return err
		}
	}
}

// ready are the pods of a namespace that take requests.
func (k *kubelet) ready(namespace string) (pods []servedPod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pods {
		if p.namespace == namespace && p.ready {
			pods = append(pods, *p)
		}
	}
	return pods
}

func environment(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}
