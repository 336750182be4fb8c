package retrain_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/registry/profile"
)

func cluster(t *testing.T) client.Client {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{batchv1.AddToScheme, corev1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	suspend := true
	cron := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: "churn-retrain", UID: "c1"}}
	cron.Spec.Suspend = &suspend
	cron.Spec.JobTemplate.Labels = map[string]string{"team": "a"}
	cron.Spec.JobTemplate.Spec.Template = corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "fetch"}},
		Containers: []corev1.Container{
			{Name: "train", Env: []corev1.EnvVar{{Name: "LEEWAY_MODEL", Value: "mine"}, {Name: "BUCKET", Value: "b"}}},
			{Name: "register"},
		},
	}}
	return fake.NewClientBuilder().WithScheme(s).WithStatusSubresource(&batchv1.Job{}).WithObjects(cron).Build()
}

func order() retrain.Order {
	from := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return retrain.Order{
		Namespace: "ml", CronJob: "churn-retrain", Decision: "churn-0123456789", Model: "churn", Parent: "1",
		From: from, To: from.Add(time.Hour), Timeout: 6 * time.Hour,
		Profile: func(context.Context) []byte { return []byte(`{"format":"leeway.dev/profile/v1"}`) },
		Note:    func(context.Context, string, string) (time.Time, error) { return from.Add(time.Hour), nil },
	}
}

func get(t *testing.T, c client.Client, name string) *batchv1.Job {
	t.Helper()
	var j batchv1.Job
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "ml", Name: name}, &j); err != nil {
		t.Fatal(err)
	}
	return &j
}

func TestStart(t *testing.T) {
	c := cluster(t)
	name, err := retrain.Jobs{Client: c, Live: c}.Start(t.Context(), order())
	if err != nil || name != "churn-0123456789" {
		t.Fatal(name, err)
	}
	j := get(t, c, name)
	if j.Annotations["cronjob.kubernetes.io/instantiate"] != "manual" || j.Labels["team"] != "a" || *j.Spec.ActiveDeadlineSeconds != 6*3600 {
		t.Error(j.ObjectMeta, j.Spec.ActiveDeadlineSeconds)
	}
	if o := j.OwnerReferences; len(o) != 1 || o[0].Name != "churn-retrain" || !*o[0].Controller || o[0].BlockOwnerDeletion != nil {
		t.Error(o)
	}
	p := j.Spec.Template
	if p.Labels[retrain.LabelDecision] != name || p.Annotations[retrain.AnnotationProfile] != `{"format":"leeway.dev/profile/v1"}` {
		t.Error(p.ObjectMeta)
	}
	want := map[string]string{
		"LEEWAY_DECISION": "churn-0123456789", "LEEWAY_MODEL": "churn", "LEEWAY_PARENT_VERSION": "1",
		"LEEWAY_WINDOW_FROM": "2026-03-01T12:00:00Z", "LEEWAY_WINDOW_TO": "2026-03-01T13:00:00Z",
		"LEEWAY_PROFILE": "/var/run/leeway/profile.json", "BUCKET": "b",
	}
	for i, containers := range [][]corev1.Container{p.Spec.Containers[:1], p.Spec.Containers[1:], p.Spec.InitContainers} {
		got := map[string]string{}
		for _, e := range containers[0].Env {
			got[e.Name] = e.Value
		}
		if i > 0 {
			delete(want, "BUCKET")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", containers[0].Name, d)
		}
		if len(containers[0].VolumeMounts) != 1 || containers[0].VolumeMounts[0].MountPath != "/var/run/leeway" {
			t.Error(containers[0].VolumeMounts)
		}
	}
	v := p.Spec.Volumes[0].DownwardAPI.Items[0]
	if v.Path != "profile.json" || v.FieldRef.FieldPath != "metadata.annotations['leeway.dev/live-profile']" {
		t.Error(v)
	}
}

func TestStartTwiceIsOneJob(t *testing.T) {
	c := cluster(t)
	for range 2 {
		if _, err := (retrain.Jobs{Client: c, Live: c}).Start(t.Context(), order()); err != nil {
			t.Fatal(err)
		}
	}
	var l batchv1.JobList
	if err := c.List(context.Background(), &l); err != nil || len(l.Items) != 1 {
		t.Error(err, len(l.Items))
	}
}

func TestStartRefuses(t *testing.T) {
	c := cluster(t)
	o := order()
	o.CronJob = "gone"
	var trouble *retrain.Trouble
	if _, err := (retrain.Jobs{Client: c, Live: c}).Start(t.Context(), o); !apierrors.IsNotFound(err) || !errors.As(err, &trouble) || !trouble.Refused || !trouble.NotStarted {
		t.Error(err)
	}
	o = order()
	o.Note = func(context.Context, string, string) (time.Time, error) { return time.Time{}, errors.New("conflict") }
	var none batchv1.JobList
	if _, err := (retrain.Jobs{Client: c, Live: c}).Start(t.Context(), o); err == nil || c.List(t.Context(), &none) != nil || len(none.Items) != 0 {
		t.Error("a Job was created without a line in the journal", err)
	}
	other := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: "churn-0123456789"}}
	if err := c.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := (retrain.Jobs{Client: c, Live: c}).Start(t.Context(), order()); err == nil || !strings.Contains(err.Error(), "not of decision") {
		t.Error(err)
	}
}

func TestJobName(t *testing.T) {
	long := strings.Repeat("a", 70)
	if a, b := retrain.JobName(long), retrain.JobName(long+"b"); len(a) > 63 || a == b || a != retrain.JobName(long) {
		t.Error(a, b)
	}
}

func TestLook(t *testing.T) {
	c := cluster(t)
	look := func(want retrain.State) {
		t.Helper()
		got, err := retrain.Jobs{Client: c, Live: c}.Look(t.Context(), order(), "churn-0123456789")
		if err != nil || got.State != want || got.Message == "" {
			t.Errorf("%+v, %v; want %s", got, err, want)
		}
	}
	look(retrain.Gone)
	name, err := retrain.Jobs{Client: c, Live: c}.Start(t.Context(), order())
	if err != nil {
		t.Fatal(err)
	}
	look(retrain.Running)
	for kind, want := range map[batchv1.JobConditionType]retrain.State{
		batchv1.JobComplete: retrain.Complete, batchv1.JobFailed: retrain.Failed, batchv1.JobSuspended: retrain.Running,
	} {
		j := get(t, c, name)
		j.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue}}
		if err := c.Status().Update(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		look(want)
	}
}

func TestCompact(t *testing.T) {
	small := &profile.Profile{Format: profile.Format, Rows: 1, Features: []profile.Column{{Name: "x", Type: profile.Number, Sketch: []byte{1}}}}
	if b, err := retrain.Compact(small); err != nil || !strings.Contains(string(b), "sketch") {
		t.Errorf("%s %v", b, err)
	}
	large := &profile.Profile{Format: profile.Format, Rows: 1}
	for range 30 {
		large.Features = append(large.Features, profile.Column{Name: "x", Type: profile.Number, Sketch: make([]byte, 12_000), Bins: []profile.Bin{{Name: "00", Count: 7}}})
	}
	b, err := retrain.Compact(large)
	if err != nil || len(b) > retrain.MaxProfileBytes || !strings.Contains(string(b), `"count":7`) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if large.Features[0].Sketch == nil {
		t.Error("the caller's profile was changed")
	}
}
