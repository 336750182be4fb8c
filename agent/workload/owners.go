package workload

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Owner is a field manager that owns one of the model's fields.
type Owner struct {
	Manager string
	// Time of the manager's last change, zero when not recorded.
	Time time.Time
	// Artifact says that it owns the artifact field itself.
	Artifact bool
}

// Owners lists the managers of the model's fields, the latest first.
func (w *Workload) Owners(ref v1alpha1.ArtifactRef) []Owner {
	artifact := artifactPath(ref)
	label := fieldpath.MakePathOrDie("spec", "template", "metadata", "labels", v1alpha1.LabelVersion)
	digest := fieldpath.MakePathOrDie("spec", "template", "metadata", "annotations", v1alpha1.AnnotationProfileDigest)
	var owners []Owner
	for _, e := range w.ManagedFields {
		set := fieldSet(e)
		if set == nil {
			continue
		}
		o := Owner{Manager: e.Manager, Artifact: set.Has(artifact)}
		if !o.Artifact && !set.Has(label) && !set.Has(digest) {
			continue
		}
		if e.Time != nil {
			o.Time = e.Time.Time
		}
		owners = append(owners, o)
	}
	sort.SliceStable(owners, func(i, j int) bool { return owners[i].Time.After(owners[j].Time) })
	return owners
}

func fieldSet(e metav1.ManagedFieldsEntry) *fieldpath.Set {
	if e.Subresource != "" || e.FieldsV1 == nil {
		return nil
	}
	var set fieldpath.Set
	if err := set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())); err != nil {
		return nil // written by the API server; unreadable means unknown, not ours
	}
	return &set
}

// applied are the fields that Leeway owns because it has applied them.
func (w *Workload) applied() *fieldpath.Set {
	for _, e := range w.ManagedFields {
		if e.Manager == v1alpha1.FieldManager && e.Operation == metav1.ManagedFieldsOperationApply {
			if set := fieldSet(e); set != nil {
				return set
			}
		}
	}
	return fieldpath.NewSet()
}

func artifactPath(ref v1alpha1.ArtifactRef) fieldpath.Path {
	c := fieldpath.KeyByFields("name", ref.Container)
	if ref.Image {
		return fieldpath.MakePathOrDie("spec", "template", "spec", "containers", c, "image")
	}
	e := fieldpath.KeyByFields("name", ref.Env)
	return fieldpath.MakePathOrDie("spec", "template", "spec", "containers", c, "env", e, "value")
}

// ChangedBy names who last wrote the artifact field, if that was not Leeway.
// A value that somebody applied again unchanged still counts as Leeway's.
func (w *Workload) ChangedBy(ref v1alpha1.ArtifactRef) (Owner, bool) {
	var other Owner
	for _, o := range w.Owners(ref) {
		if !o.Artifact {
			continue
		}
		if o.Manager == v1alpha1.FieldManager {
			return Owner{}, false
		}
		if other.Manager == "" {
			other = o
		}
	}
	return other, other.Manager != ""
}

// OwnsArtifact says whether a manager owns the artifact field, alone or with others.
func (w *Workload) OwnsArtifact(ref v1alpha1.ArtifactRef, manager string) bool {
	return slices.ContainsFunc(w.Owners(ref), func(o Owner) bool { return o.Artifact && o.Manager == manager })
}

// GitOpsOwner names a GitOps controller that owns one of the model's fields. It
// would put a change back within seconds, so the change belongs into its
// repository.
func (w *Workload) GitOpsOwner(ref v1alpha1.ArtifactRef) (string, bool) {
	for _, o := range w.Owners(ref) {
		if gitOps(o.Manager) {
			return o.Manager, true
		}
	}
	return "", false
}

// gitOps knows the field managers of Argo CD, Flux and Rancher Fleet. A person
// who runs helm or kubectl by hand is not one: the guard is their consent.
func gitOps(manager string) bool {
	m := strings.ToLower(manager)
	for _, prefix := range []string{"argocd", "argo-cd", "flux", "fleet"} {
		if strings.HasPrefix(m, prefix) {
			return true
		}
	}
	return m == "kustomize-controller" || m == "helm-controller" || m == "gitops-agent"
}

// Is says whether the workload is the one of that UID: one deleted and made
// again under its name is another.
func (w *Workload) Is(uid string) bool { return w.UID == types.UID(uid) }
