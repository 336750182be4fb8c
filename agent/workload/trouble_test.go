package workload_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/workload"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func podOf(name, revision string, conditions ...corev1.PodCondition) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour)),
		Labels: map[string]string{"controller-revision-hash": revision}}}
	p.Status.Conditions = conditions
	return p
}

func condition(kind corev1.PodConditionType, status corev1.ConditionStatus, ago time.Duration) corev1.PodCondition {
	return corev1.PodCondition{Type: kind, Status: status, Message: "it says so", LastTransitionTime: metav1.NewTime(noon.Add(-ago))}
}

func waits(p corev1.Pod, reason, message string) corev1.Pod {
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "other"}, {Name: "model", Image: "i", RestartCount: 2,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", FinishedAt: metav1.NewTime(noon)}}}}
	return p
}

func TestTroubles(t *testing.T) {
	unready := podOf("a-1", "", condition(corev1.PodReady, corev1.ConditionFalse, time.Minute))
	leaving := unready
	leaving.DeletionTimestamp = &metav1.Time{Time: noon}
	for name, tt := range map[string]struct {
		pod     corev1.Pod
		kind    workload.Kind
		own     bool
		missing bool
		says    string
	}{
		"ready":          {podOf("a-1", "", condition(corev1.PodReady, corev1.ConditionTrue, 0)), 0, false, false, ""},
		"leaving":        {leaving, 0, false, false, ""},
		"no node":        {podOf("a-1", "", condition(corev1.PodScheduled, corev1.ConditionFalse, 0)), workload.Unplaced, false, false, "pod a-1 is pending: it says so"},
		"image away":     {waits(unready, "ErrImageNeverPull", "not present"), workload.NoImage, false, true, "container model has no image i: ErrImageNeverPull, not present"},
		"image unknown":  {waits(unready, "ImagePullBackOff", "manifest not found"), workload.NoImage, false, true, ""},
		"registry away":  {waits(unready, "ErrImagePull", "connection refused"), workload.NoImage, false, false, ""},
		"no Secret":      {waits(unready, "CreateContainerConfigError", `secret "s" not found`), workload.NotMade, false, false, `secret "s" not found`},
		"crash loop":     {waits(unready, "CrashLoopBackOff", "back-off"), workload.Crashing, true, false, "has ended 3 times, last with exit code 137 (OOMKilled)"},
		"being started":  {waits(unready, "ContainerCreating", ""), workload.Unready, true, false, "pod a-1 is not ready: it says so"},
		"without status": {podOf("a-1", ""), workload.Unready, true, false, "pod a-1 is not ready"},
	} {
		t.Run(name, func(t *testing.T) {
			all := workload.Troubles([]corev1.Pod{tt.pod})
			if tt.kind == 0 {
				if len(all) > 0 {
					t.Error(all)
				}
				return
			}
			if len(all) != 1 || all[0].Kind != tt.kind || all[0].Kind.Own() != tt.own || all[0].Missing != tt.missing || !strings.Contains(all[0].Message, tt.says) {
				t.Errorf("%+v, want %+v", all, tt)
			}
		})
	}
}

func TestStuck(t *testing.T) {
	ready := podOf("s-0", "old", condition(corev1.PodReady, corev1.ConditionTrue, time.Hour))
	unready := func(revision string, ago time.Duration) corev1.Pod {
		return podOf("s-1", revision, condition(corev1.PodReady, corev1.ConditionFalse, ago))
	}
	for name, tt := range map[string]struct {
		pod    corev1.Pod
		change func(*appsv1.StatefulSet)
		stuck  bool
	}{
		"a pod of the old template crashes":        {waits(unready("old", 0), "CrashLoopBackOff", ""), nil, true},
		"it is not ready for long":                 {unready("old", time.Minute), nil, true},
		"it is being started":                      {unready("old", time.Second), nil, false},
		"it is of the new template":                {waits(unready("new", 0), "CrashLoopBackOff", ""), nil, false},
		"pods need no order":                       {waits(unready("old", 0), "CrashLoopBackOff", ""), func(s *appsv1.StatefulSet) { s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement }, false},
		"the template has not been seen":           {waits(unready("old", 0), "CrashLoopBackOff", ""), func(s *appsv1.StatefulSet) { s.Generation = 9 }, false},
		"back to what most pods still are":         {waits(unready("old", 0), "CrashLoopBackOff", ""), func(s *appsv1.StatefulSet) { s.Status.CurrentRevision = "new" }, true},
		"all pods are of the new one by the count": {waits(unready("old", 0), "CrashLoopBackOff", ""), func(s *appsv1.StatefulSet) { s.Status.CurrentRevision, s.Status.UpdatedReplicas = "new", 2 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			two := int32(2)
			s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "s", Generation: 3}}
			s.Spec.Replicas = &two
			s.Status = appsv1.StatefulSetStatus{ObservedGeneration: 3, Replicas: 2, CurrentRevision: "old", UpdateRevision: "new"}
			if tt.change != nil {
				tt.change(s)
			}
			trouble, stuck := workload.FromStatefulSet(s).Stuck([]corev1.Pod{ready, tt.pod}, noon)
			if stuck != tt.stuck || stuck && trouble.Pod != "s-1" {
				t.Errorf("stuck is %t, on %+v", stuck, trouble)
			}
		})
	}
}

// What kept pods from being created is in no pod.
func TestNotCreated(t *testing.T) {
	d := deployment("x")
	d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}}
	if got := workload.FromDeployment(d).Counts.NotCreated; got != "exceeded quota" {
		t.Error(got)
	}
	three := int32(3)
	s := &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: &three}, Status: appsv1.StatefulSetStatus{Replicas: 2}}
	if got := workload.FromStatefulSet(s).Counts.NotCreated; got != "1 of 3 pods are not there" {
		t.Error(got)
	}
}
