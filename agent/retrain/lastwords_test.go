package retrain_test

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/leeway-dev/leeway/agent/retrain"
)

func TestLastWords(t *testing.T) {
	c := cluster(t)
	jobs := retrain.Jobs{Client: c, Live: c}
	name, err := jobs.Start(t.Context(), order())
	if err != nil {
		t.Fatal(err)
	}
	job := get(t, c, name)
	job.UID = "j1"
	if err := c.Update(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	yes := true
	pod := func(name string, owner types.UID, minute int, phase corev1.PodPhase, words ...string) {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ml", Name: name, Labels: map[string]string{retrain.LabelDecision: job.Name},
			CreationTimestamp: metav1.NewTime(time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC)),
			OwnerReferences:   []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: owner, Controller: &yes}},
		}}
		p.Status.Phase = phase
		for _, w := range words {
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses,
				corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: w}}})
		}
		if err := c.Create(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	words := func() []string {
		t.Helper()
		got, err := jobs.LastWords(t.Context(), order(), name)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := words(); len(got) != 0 {
		t.Error(got)
	}
	pod("a", "j1", 1, corev1.PodSucceeded, "old")
	pod("b", "j1", 3, corev1.PodSucceeded, "", "bye", "{}")
	pod("c", "j1", 4, corev1.PodFailed, "failed")
	pod("d", "mine", 5, corev1.PodSucceeded, "forged")
	if got := words(); !slices.Equal(got, []string{"bye", "{}"}) {
		t.Error(got)
	}
	if err := c.Delete(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if got := words(); len(got) != 0 {
		t.Error(got)
	}
}

// What is evaluated is told beside what every Job is told.
func TestStartOfAnEvaluation(t *testing.T) {
	c := cluster(t)
	o := order()
	o.Candidates = []string{"2", "10"}
	name, err := retrain.Jobs{Client: c, Live: c}.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, e := range get(t, c, name).Spec.Template.Spec.Containers[0].Env {
		env[e.Name] = e.Value
	}
	if env["LEEWAY_CANDIDATES"] != "2,10" || env["LEEWAY_PARENT_VERSION"] != "1" {
		t.Error(env)
	}
}
