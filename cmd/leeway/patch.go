package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/manifest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
	"github.com/leeway-dev/leeway/registry"
)

// maxManifest bounds a file of manifests.
const maxManifest = 16 << 20

func newPatch(a *app) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "patch DECISION|GUARD [-f MANIFEST]",
		Short: "Print a decision's change, to commit it",
		Long: `Print the change that a decision would make, or made, for those whose changes
go through Git: as a strategic merge patch for kubectl and Kustomize, or, with
the manifest of the workload, as a diff of it for Git. With a guard's name: the
change of its last decision. Of a change that proved worse it is the way back.
Nothing is changed, neither in the cluster nor in the file.

In a manifest the text is edited where the model's fields are; comments and
style stay. -f takes files and folders, which are searched for the workload.`,
		Example: `  kubectl leeway patch churn -n ml
  kubectl leeway patch churn -n ml -f deploy/ | git apply
  kubectl leeway patch churn -n ml > patch.yaml && kubectl patch deployment churn -n ml --patch-file patch.yaml`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.decided(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if len(files) > 0 {
				return a.printDiff(p, files)
			}
			b, err := yaml.Marshal(p.work.Patch(p.guard.Spec.Artifact, p.to))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "# %s\n%s", p.what(), b)
			return err
		},
	}
	cmd.Flags().StringSliceVarP(&files, "file", "f", nil, "manifests, or folders of them: print a diff")
	return cmd
}

// decidedChange is the change of a decision.
type decidedChange struct {
	work     *workload.Workload
	decision *v1alpha1.ModelDecision
	guard    *v1alpha1.ModelGuard
	from     string
	to       workload.Fields
	undo     bool // it proved worse: the change is the way back
}

func (p *decidedChange) what() string {
	action := p.decision.Spec.Action
	if p.undo {
		action = "undo of the " + action
	}
	return fmt.Sprintf("%s of %s/%s from version %s to version %s: decision %s (%s)",
		action, p.work.Namespace, p.work.Name, p.from, p.to.Version, p.decision.Name, p.decision.Spec.Cause)
}

// decided reads what a decision changes: by its own name, or its guard's.
func (a *app) decided(ctx context.Context, name string) (*decidedChange, error) {
	n, err := a.named(ctx, name)
	if err != nil {
		return nil, err
	}
	if n.decision == nil {
		if last := n.guard.Status.Decision; last != nil {
			return nil, fmt.Errorf("the last decision of guard %s, %s, is no longer kept", name, last.Name)
		}
		return nil, fmt.Errorf("guard %s has decided nothing yet", name)
	}
	p := &decidedChange{decision: n.decision, guard: n.guard}
	if p.guard == nil {
		p.guard, err = get[v1alpha1.ModelGuard](ctx, n.client, p.decision.Namespace, p.decision.Spec.Guard)
		if err != nil {
			return nil, err
		}
		if p.guard == nil {
			return nil, fmt.Errorf("guard %s of decision %s is gone: what it says of the manifest is not known", p.decision.Spec.Guard, name)
		}
	}
	s := p.decision.Spec
	if s.ToArtifact == "" || s.To == "" {
		return nil, fmt.Errorf("decision %s is to %s (%s) and chose no version: there is no change to commit", p.decision.Name, s.Action, s.Reason)
	}
	p.from, p.to = s.From, workload.Fields{Version: s.To, Artifact: s.ToArtifact, ProfileDigest: s.ToProfileDigest}
	if p.undo = journal.Has(p.decision, journal.Undoing); p.undo {
		p.from, p.to = s.To, workload.Fields{Version: s.From, Artifact: s.FromArtifact}
	}
	if p.work, err = workload.Get(ctx, n.client, p.decision.Namespace, s.Workload); err != nil {
		return nil, clusterError(err)
	}
	if !p.undo && p.work.Template.Annotations[v1alpha1.AnnotationArtifactDigest] == "" {
		return p, nil
	}
	return p, a.digests(ctx, s.Model, &p.to)
}

// digests fills in those of a version that a record does not have.
func (a *app) digests(ctx context.Context, model string, to *workload.Fields) error {
	n, err := registry.ParseNumber(to.Version)
	if err != nil {
		return err
	}
	store, err := a.open(ctx)
	if err != nil {
		return err
	}
	v, err := store.Get(ctx, model, n)
	if err != nil {
		return err
	}
	to.ArtifactDigest = v.Spec.Artifact.SHA256
	if to.ProfileDigest == "" && v.Spec.Profile != nil {
		to.ProfileDigest = v.Spec.Profile.Digest
	}
	return nil
}

// printDiff prints what becomes of the manifest, as git apply takes it.
func (a *app) printDiff(p *decidedChange, names []string) error {
	files, err := manifests(names)
	if err != nil {
		return err
	}
	object := manifest.Object{Kind: p.work.Kind, Namespace: p.work.Namespace, Name: p.work.Name}
	var found []edited
	var failed error
	for _, file := range files {
		text, err := a.readFile(file, maxManifest)
		if err != nil {
			return err
		}
		changed, err := manifest.Set(text, object, p.guard.Spec.Artifact, p.to)
		switch {
		case errors.Is(err, manifest.ErrOther):
		case err == nil:
			found = append(found, edited{file, string(text), string(changed)})
		case failed == nil:
			failed = fmt.Errorf("%s: %w", file, err)
		}
	}
	switch {
	case len(found) == 1:
		return a.printEdited(found[0], p.to.Version)
	case len(found) > 1:
		return fmt.Errorf("%s and %s both have %s %s: name the one that is meant", found[0].file, found[1].file, object.Kind, object.Name)
	case failed != nil:
		return failed
	}
	return fmt.Errorf("none of %d files has %s %s: name the manifest that the cluster's one is made of", len(files), object.Kind, object.Name)
}

// edited is a manifest with the workload, before and after.
type edited struct{ file, text, changed string }

func (a *app) printEdited(e edited, version string) error {
	if e.changed == e.text {
		a.note("%s has version %s already", e.file, version)
		return nil
	}
	name := strings.TrimPrefix(filepath.ToSlash(filepath.Clean(e.file)), "/")
	_, err := fmt.Fprint(a.out, udiff.Unified("a/"+name, "b/"+name, e.text, e.changed))
	return err
}

// manifests are the files that are named, and those in folders that are.
func manifests(names []string) ([]string, error) {
	var files []string
	for _, name := range names {
		err := filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != name && strings.HasPrefix(d.Name(), "."):
				return filepath.SkipDir
			case !d.IsDir() && (path == name || slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path))):
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}
