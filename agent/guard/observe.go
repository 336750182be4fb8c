package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
)

// Reasons of holds that are about the guard itself, or its workload.
const (
	ReasonDuplicate         decide.Reason = "duplicate_guard"
	ReasonWorkloadMissing   decide.Reason = "workload_missing"
	ReasonContainerMissing  decide.Reason = "container_missing"
	ReasonArtifactField     decide.Reason = "artifact_field_missing"
	ReasonNoVersionLabel    decide.Reason = "version_label_missing"
	ReasonRegistryUnread    decide.Reason = "registry_unreachable"
	ReasonPaused            decide.Reason = "workload_paused"
	ReasonGitOpsOwned       decide.Reason = "gitops_owned"
	ReasonNoPermission      decide.Reason = "no_permission"
	ReasonAwaitingApproval  decide.Reason = "awaiting_approval"
	ReasonApprovalExpired   decide.Reason = "approval_expired"
	ReasonDecidedOtherwise  decide.Reason = "decided_otherwise"
	ReasonProposed          decide.Reason = "proposed"
	ReasonPodsPending       decide.Reason = "pods_pending"
	ReasonPodStuck          decide.Reason = "pod_stuck"
	ReasonRefused           decide.Reason = "change_refused"
	ReasonSuperseded        decide.Reason = "superseded"
	conditionAccepted                     = "Accepted"
	conditionObserved                     = "Observed"
	conditionPermitted                    = "Permitted"
	conditionArtifactUsable               = "ArtifactUsable"
	conditionHealthy                      = "Healthy"
)

// observe reads the workload and its pods, and keeps the history of stays. It
// returns why the guard can't be served as it is written, if so.
func (v *visit) observe(ctx context.Context) (*held, error) {
	v.guard.Status.ObservedGeneration = v.guard.Generation
	if h := duplicate(v.guard, v.round.guards); h != nil {
		return v.refuse(h), nil
	}
	permitted, err := v.CanPatch(ctx, v.guard.Namespace)
	if err != nil {
		return nil, err
	}
	v.permitted = permitted
	err = v.readWorkload(ctx, v.Client)
	if was := v.guard.Status.TemplateHash; err == nil && was != "" && v.fields.Hash() != was {
		// A change begins a new stay. A leader whose cache lags behind what the
		// one before it has seen must not take that for a change back.
		err = v.readWorkload(ctx, v.Live)
	}
	switch {
	case apierrors.IsNotFound(err):
		return v.refuse(&held{ReasonWorkloadMissing, fmt.Sprintf("%s %s does not exist in namespace %s",
			kindOf(v.guard), v.guard.Spec.Workload.Name, v.guard.Namespace)}), nil
	case errors.Is(err, workload.ErrContainer):
		return v.refuse(&held{ReasonContainerMissing, err.Error()}), nil
	case errors.Is(err, workload.ErrEnv):
		return v.refuse(&held{ReasonArtifactField, err.Error()}), nil
	case err != nil:
		return nil, err
	case v.fields.Version == "":
		return v.refuse(&held{ReasonNoVersionLabel, fmt.Sprintf("the pod template of %s has no label %s: set it to the version that it serves",
			v.work.Ref(), v1alpha1.LabelVersion)}), nil
	}
	v.condition(conditionAccepted, metav1.ConditionTrue, "Accepted", "the workload and the artifact field are there")
	v.conditionPermission()
	v.progress = v.work.Progress(0)
	v.keepHistory()
	return nil, v.readPods(ctx)
}

func (v *visit) readWorkload(ctx context.Context, r client.Reader) error {
	w, err := workload.Get(ctx, r, v.guard.Namespace, v.guard.Spec.Workload)
	if err != nil {
		return err
	}
	v.work = w
	v.fields, err = w.Fields(v.guard.Spec.Artifact)
	return err
}

// refuse says on the guard that it can't be served as it is written.
func (v *visit) refuse(h *held) *held {
	v.condition(conditionAccepted, metav1.ConditionFalse, string(h.reason), h.message)
	return h
}

func (v *visit) conditionPermission() {
	a := v.guard.Spec.Autonomy
	wantsAuto := slices.Contains([]v1alpha1.AutonomyLevel{a.Default, a.BadRelease, a.InputDrift, a.ConceptDrift, a.Retrain}, v1alpha1.Auto)
	switch {
	case !v.permitted:
		v.condition(conditionPermitted, metav1.ConditionFalse, string(ReasonNoPermission),
			"Leeway may not patch workloads in namespace "+v.guard.Namespace+", so the guard behaves as Observe: bind the ClusterRole leeway-actor there to allow it")
	case wantsAuto && len(v.guard.Spec.Artifact.Allow) == 0:
		v.condition(conditionPermitted, metav1.ConditionFalse, string(decide.ReasonNotAllowed),
			"Auto needs patterns of artifacts in spec.artifact.allow: without them no artifact may be deployed without a person")
	default:
		v.condition(conditionPermitted, metav1.ConditionTrue, "Permitted", "Leeway may change the workload as far as the guard's autonomy goes")
	}
}

// conditionArtifact says whether the artifact that was chosen, if one was, may
// be deployed as it is.
func (v *visit) conditionArtifact(c choice) {
	switch {
	case c.Reason == decide.ReasonNotAllowed, c.Reason == decide.ReasonArtifactMissing, c.Reason == decide.ReasonArtifactDigest:
		v.condition(conditionArtifactUsable, metav1.ConditionFalse, string(c.Reason), c.Message)
	case c.Reason == decide.ReasonArtifactUnreachable:
		v.condition(conditionArtifactUsable, metav1.ConditionUnknown, string(c.Reason), c.Message)
	case c.Target != "":
		v.condition(conditionArtifactUsable, metav1.ConditionTrue, "Usable", "nothing stands against the artifact of version "+c.Target)
	default:
		meta.RemoveStatusCondition(&v.guard.Status.Conditions, conditionArtifactUsable)
	}
}

// conditionHealthy says what was diagnosed, if anything was.
func (v *visit) conditionHealthy(c choice) {
	switch {
	case c.Cause == decide.None && c.Reason == decide.ReasonHealthy:
		v.condition(conditionHealthy, metav1.ConditionTrue, "Healthy", c.Message)
	case c.Cause == decide.None, c.Cause == decide.Blind, c.Cause == decide.RollingOut:
		v.condition(conditionHealthy, metav1.ConditionUnknown, string(c.Reason), c.Message)
	default:
		v.condition(conditionHealthy, metav1.ConditionFalse, string(c.Cause), c.Message)
	}
}

// duplicate finds an older guard on the same workload, or on the same model of
// the namespace: of two, the second does nothing.
func duplicate(g *v1alpha1.ModelGuard, guards []v1alpha1.ModelGuard) *held {
	for i := range guards {
		o := &guards[i]
		if o.Namespace != g.Namespace || o.Name == g.Name || !older(o, g) {
			continue
		}
		if o.Spec.Workload.Name == g.Spec.Workload.Name && kindOf(o) == kindOf(g) {
			return &held{ReasonDuplicate, fmt.Sprintf("guard %s guards %s %s already: delete one of the two", o.Name, strings.ToLower(kindOf(g)), g.Spec.Workload.Name)}
		}
		if o.Spec.Model == g.Spec.Model {
			return &held{ReasonDuplicate, fmt.Sprintf("guard %s guards model %s already: delete one of the two", o.Name, g.Spec.Model)}
		}
	}
	return nil
}

func older(a, b *v1alpha1.ModelGuard) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

func kindOf(g *v1alpha1.ModelGuard) string {
	if g.Spec.Workload.Kind == "" {
		return "Deployment"
	}
	return g.Spec.Workload.Kind
}

// readPods lists the pods that are not on their way out, and tells those of the
// active version from others.
func (v *visit) readPods(ctx context.Context) error {
	selector, err := metav1.LabelSelectorAsSelector(v.work.Selector)
	if err != nil {
		return fmt.Errorf("selector of %s: %w", v.work.Ref(), err)
	}
	var list corev1.PodList
	err = v.Client.List(ctx, &list, client.InNamespace(v.guard.Namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return fmt.Errorf("list the pods of %s: %w", v.work.Ref(), err)
	}
	for _, p := range list.Items {
		switch {
		case p.DeletionTimestamp != nil:
		case p.Labels[v1alpha1.LabelVersion] == v.fields.Version:
			v.pods = append(v.pods, p)
		default:
			v.others = append(v.others, p)
		}
	}
	return nil
}
