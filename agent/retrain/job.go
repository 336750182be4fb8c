package retrain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// LabelDecision on Job and pods names the decision that asked for them.
	LabelDecision = "leeway.dev/decision"
	// AnnotationProfile on the pods holds the live profile, as JSON.
	AnnotationProfile = "leeway.dev/live-profile"
	// ProfilePath is where every container finds it.
	ProfilePath = "/var/run/leeway/profile.json"
	// MaxProfileBytes bounds it: all annotations of a pod have 256 KiB.
	MaxProfileBytes = 192 << 10

	profileVolume = "leeway-live-profile"
	maxName       = 63
)

// Jobs trains and evaluates by Jobs.
type Jobs struct {
	Client client.Writer
	// Live reads past the cache.
	Live client.Reader
}

// JobName is the name of the Job of a decision.
func JobName(decision string) string {
	if len(decision) <= maxName {
		return decision
	}
	sum := sha256.Sum256([]byte(decision))
	return strings.TrimRight(decision[:maxName-9], "-.") + "-" + hex.EncodeToString(sum[:4])
}

// +kubebuilder:rbac:groups=batch,resources=cronjobs,verbs=get,roleName=leeway-actor
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=create;get,roleName=leeway-actor

// Start creates the Job of an order, and returns its name. One that is there
// already, for the same decision, is the one.
func (j Jobs) Start(ctx context.Context, o Order) (string, error) {
	name := JobName(o.Decision)
	if o.Noted.IsZero() {
		if _, err := o.Note(ctx, name, fmt.Sprintf("create job %s from cronjob %s", name, o.CronJob)); err != nil {
			return "", err
		}
	}
	var cron batchv1.CronJob
	if err := j.Live.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: o.CronJob}, &cron); err != nil {
		return "", refused(fmt.Errorf("read cronjob %s/%s to make a job from: %w", o.Namespace, o.CronJob, err))
	}
	job := job(&cron, o, o.Profile(ctx))
	err := j.Client.Create(ctx, job)
	if !apierrors.IsAlreadyExists(err) {
		if err != nil {
			return "", refused(fmt.Errorf("create job %s/%s: %w", o.Namespace, job.Name, err))
		}
		return job.Name, nil
	}
	var there batchv1.Job
	if err := j.Live.Get(ctx, client.ObjectKeyFromObject(job), &there); err != nil {
		return "", fmt.Errorf("read job %s/%s: %w", o.Namespace, job.Name, err)
	}
	if there.Labels[LabelDecision] != job.Name {
		return "", &Trouble{Refused: true, NotStarted: true, Err: fmt.Errorf("job %s/%s is there and is not of decision %s; delete or rename it", o.Namespace, job.Name, o.Decision)}
	}
	return job.Name, nil
}

// refused tells what the API server says no to from what may do in a moment.
func refused(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return &Trouble{Refused: true, NotStarted: true, Err: err}
	}
	return err
}

// Look reads the state of a Job and what it says of it.
func (j Jobs) Look(ctx context.Context, o Order, name string) (Status, error) {
	var job batchv1.Job
	err := j.Live.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: name}, &job)
	if apierrors.IsNotFound(err) {
		return Status{State: Gone, Message: "job " + name + " is gone"}, nil
	}
	if err != nil {
		return Status{}, fmt.Errorf("read job %s/%s: %w", o.Namespace, name, err)
	}
	for _, c := range job.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			return Status{State: Complete, Message: "job " + name + " is complete"}, nil
		case batchv1.JobFailed:
			return Status{State: Failed, Message: fmt.Sprintf("job %s failed: %s: %s", name, c.Reason, c.Message)}, nil
		}
	}
	return Status{State: Running, Message: fmt.Sprintf("job %s runs, %d pods active, %d failed", name, job.Status.Active, job.Status.Failed)}, nil
}

func job(cron *batchv1.CronJob, o Order, profile []byte) *batchv1.Job {
	name := JobName(o.Decision)
	controller := true
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: o.Namespace, Name: name,
			Labels:      with(cron.Spec.JobTemplate.Labels, LabelDecision, name),
			Annotations: with(cron.Spec.JobTemplate.Annotations, "cronjob.kubernetes.io/instantiate", "manual"),
			// As kubectl does it: the CronJob's history limits clean up.
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "batch/v1", Kind: "CronJob", Name: cron.Name, UID: cron.UID, Controller: &controller,
			}},
		},
		Spec: *cron.Spec.JobTemplate.Spec.DeepCopy(),
	}
	if s := int64(o.Timeout / time.Second); s > 0 && (j.Spec.ActiveDeadlineSeconds == nil || *j.Spec.ActiveDeadlineSeconds > s) {
		j.Spec.ActiveDeadlineSeconds = &s
	}
	t := &j.Spec.Template
	t.Labels = with(t.Labels, LabelDecision, name)
	env := make([]corev1.EnvVar, 0, 7)
	for _, in := range o.Inputs() {
		env = append(env, corev1.EnvVar{Name: in[0], Value: in[1]})
	}
	if len(profile) > 0 && len(profile) <= MaxProfileBytes {
		mountProfile(t, profile)
		env = append(env, corev1.EnvVar{Name: "LEEWAY_PROFILE", Value: ProfilePath})
	}
	for i := range t.Spec.InitContainers {
		t.Spec.InitContainers[i].Env = setEnv(t.Spec.InitContainers[i].Env, env)
	}
	for i := range t.Spec.Containers {
		t.Spec.Containers[i].Env = setEnv(t.Spec.Containers[i].Env, env)
	}
	return j
}

func mountProfile(t *corev1.PodTemplateSpec, profile []byte) {
	t.Annotations = with(t.Annotations, AnnotationProfile, string(profile))
	t.Spec.Volumes = append(t.Spec.Volumes, corev1.Volume{
		Name: profileVolume,
		VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
			Items: []corev1.DownwardAPIVolumeFile{{
				Path:     ProfilePath[strings.LastIndex(ProfilePath, "/")+1:],
				FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + AnnotationProfile + "']"},
			}},
		}},
	})
	mount := corev1.VolumeMount{Name: profileVolume, MountPath: ProfilePath[:strings.LastIndex(ProfilePath, "/")], ReadOnly: true}
	for i := range t.Spec.InitContainers {
		t.Spec.InitContainers[i].VolumeMounts = append(t.Spec.InitContainers[i].VolumeMounts, mount)
	}
	for i := range t.Spec.Containers {
		t.Spec.Containers[i].VolumeMounts = append(t.Spec.Containers[i].VolumeMounts, mount)
	}
}

// setEnv puts ours in the place of any of the same name: what the Job is told
// of the decision is not for the template to say.
func setEnv(env, ours []corev1.EnvVar) []corev1.EnvVar {
	mine := make(map[string]bool, len(ours))
	for _, e := range ours {
		mine[e.Name] = true
	}
	out := append([]corev1.EnvVar(nil), ours...) // first, so that others may refer to them
	for _, e := range env {
		if !mine[e.Name] {
			out = append(out, e)
		}
	}
	return out
}

func with(m map[string]string, key, value string) map[string]string {
	out := make(map[string]string, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	out[key] = value
	return out
}
