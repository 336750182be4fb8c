package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Kind is what keeps a pod from serving.
type Kind int

// The kinds. Only the last two can be the version's own fault.
const (
	// Unplaced pods find no node.
	Unplaced Kind = iota + 1
	// NoImage: the image of a container can't be had.
	NoImage
	// NotMade: a container can't be made, for lack of a Secret, say.
	NotMade
	// Crashing: a container ends again and again, and is waited with.
	Crashing
	// Unready pods run, but are not ready.
	Unready
)

// Own says that it may be the version that is at fault.
func (k Kind) Own() bool { return k >= Crashing }

// Trouble is why one pod does not serve.
type Trouble struct {
	Kind           Kind
	Pod, Container string
	// Since is when the pod was last ready, or was made.
	Since time.Time
	// Ended is when the container of a crashing pod ended last.
	Ended time.Time
	// Missing says of an image that it is not there, and not only out of reach.
	Missing bool
	// Message is half a sentence that begins with the pod.
	Message string
}

// Troubles are those of pods that are meant to serve, the lowest ordinal first.
func Troubles(pods []corev1.Pod) []Trouble {
	var all []Trouble
	for i := range pods {
		if t, ok := troubleOf(&pods[i]); ok {
			all = append(all, t)
		}
	}
	slices.SortStableFunc(all, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(len(a.Pod), len(b.Pod)), strings.Compare(a.Pod, b.Pod))
	})
	return all
}

func troubleOf(p *corev1.Pod) (Trouble, bool) {
	t := Trouble{Pod: p.Name, Since: p.CreationTimestamp.Time}
	if p.DeletionTimestamp != nil {
		return t, false
	}
	ready := podCondition(p, corev1.PodReady)
	if ready != nil {
		if ready.Status == corev1.ConditionTrue {
			return t, false
		}
		t.Since = latest(t.Since, ready.LastTransitionTime.Time)
	}
	if c := podCondition(p, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		t.Kind, t.Message = Unplaced, fmt.Sprintf("pod %s is pending: %s", p.Name, c.Message)
		return t, true
	}
	for _, s := range slices.Concat(p.Status.ContainerStatuses, p.Status.InitContainerStatuses) {
		if t.waits(s) {
			return t, true
		}
	}
	t.Kind, t.Message = Unready, fmt.Sprintf("pod %s is not ready", p.Name)
	if ready != nil && ready.Message != "" {
		t.Message += ": " + ready.Message
	}
	return t, true
}

// waits says whether it is this container that the pod waits for.
func (t *Trouble) waits(s corev1.ContainerStatus) bool {
	w := s.State.Waiting
	if w == nil {
		return false
	}
	t.Container = s.Name
	what := fmt.Sprintf("pod %s: container %s", t.Pod, s.Name)
	switch w.Reason {
	case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable":
		t.Kind, t.Message = NoImage, fmt.Sprintf("%s has no image %s: %s", what, s.Image, reasonAnd(w))
		t.Missing = w.Reason == "ErrImageNeverPull" || w.Reason == "InvalidImageName" || strings.Contains(strings.ToLower(w.Message), "not found")
	case "CreateContainerConfigError", "CreateContainerError":
		t.Kind, t.Message = NotMade, fmt.Sprintf("%s can't be made: %s", what, reasonAnd(w))
	case "CrashLoopBackOff", "RunContainerError", "StartError":
		t.Kind, t.Message = Crashing, fmt.Sprintf("%s has ended %d times", what, s.RestartCount+1)
		if last := s.LastTerminationState.Terminated; last != nil {
			t.Ended = last.FinishedAt.Time
			t.Message += fmt.Sprintf(", last with exit code %d (%s)", last.ExitCode, last.Reason)
		}
	default: // ContainerCreating, PodInitializing
		return false
	}
	return true
}

func reasonAnd(w *corev1.ContainerStateWaiting) string {
	if w.Message == "" {
		return w.Reason
	}
	return w.Reason + ", " + w.Message
}

func podCondition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == kind {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// revisionLabel is where a StatefulSet's controller notes which template a pod
// was made from.
const revisionLabel = "controller-revision-hash"

// stuckAfter is how long a pod that runs may be unready before it is said to hold
// up a rollout: others are being started.
const stuckAfter = 30 * time.Second

// Stuck is a broken pod of an older template that holds up the rollout of a
// StatefulSet. With podManagementPolicy OrderedReady its controller waits for each
// pod to become ready before it looks at which template the pod is of, so what
// would mend the pod never reaches it (kubernetes/kubernetes#67250). Deleted by
// hand, it comes back from the new template.
func (w *Workload) Stuck(pods []corev1.Pod, now time.Time) (Trouble, bool) {
	if !w.OrderedReady || w.Counts.ObservedGeneration < w.Counts.Generation || w.Counts.CurrentRevision == w.Counts.UpdateRevision && w.Counts.Updated >= w.Counts.Desired {
		return Trouble{}, false
	}
	old := map[string]bool{}
	for i := range pods {
		old[pods[i].Name] = pods[i].Labels[revisionLabel] != w.Counts.UpdateRevision
	}
	for _, t := range Troubles(pods) {
		if old[t.Pod] && (t.Kind != Unready || now.Sub(t.Since) >= stuckAfter) {
			return t, true
		}
	}
	return Trouble{}, false
}
