package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// maxRecord bounds a decision's record; the API server's limit is below it.
const maxRecord = 4 << 20

func newExplain(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "explain DECISION|GUARD",
		Short: "Tell why Leeway decided what it decided",
		Long: `Tell in sentences what was seen, what it was taken for, what the registry
answered, what was decided, what would have changed it, what happened and how it
came out: from the record of the decision alone. With a guard's name: where the
guard stands, what to do about it, and its last decision.`,
		Example: `  kubectl leeway explain churn -n ml
  kubectl get modeldecision churn-1a2b -o json > d.json && leeway explain -f d.json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := "", error(nil)
			switch {
			case file != "" && len(args) == 0:
				text, err = a.explainFile(file)
			case file == "" && len(args) == 1:
				text, err = a.explainObject(cmd, args[0])
			default:
				return usage("name a decision or a guard, or give a record with -f")
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(a.out, text)
			return err
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "record of a decision, JSON or YAML (- for standard input)")
	return cmd
}

func (a *app) explainFile(name string) (string, error) {
	d, err := a.readDecision(name)
	if err != nil {
		return "", err
	}
	return explain.Decision(*d), nil
}

// readDecision reads the record of a decision from a file.
func (a *app) readDecision(name string) (*v1alpha1.ModelDecision, error) {
	b, err := a.readFile(name, maxRecord)
	if err != nil {
		return nil, err
	}
	var d v1alpha1.ModelDecision
	if err := yaml.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("%s: not the record of a decision: %w", name, err)
	}
	if d.Spec.Action == "" {
		return nil, fmt.Errorf("%s: not the record of a decision: it has no spec.action", name)
	}
	return &d, nil
}

func (a *app) explainObject(cmd *cobra.Command, name string) (string, error) {
	n, err := a.named(cmd.Context(), name)
	if err != nil {
		return "", err
	}
	if n.guard == nil {
		return explain.Decision(*n.decision), nil
	}
	text := explain.Guard(*n.guard)
	switch last := n.guard.Status.Decision; {
	case last == nil:
		return text + "It has decided nothing yet.\n", nil
	case n.decision == nil:
		return text + fmt.Sprintf("Its last decision, %s, is no longer kept.\n", last.Name), nil
	}
	return text + "\n" + explain.Decision(*n.decision), nil
}

// named is what a name in a namespace stands for: a decision; or a guard and its
// last decision, if that is kept.
type named struct {
	client   client.Client
	guard    *v1alpha1.ModelGuard
	decision *v1alpha1.ModelDecision
}

func (a *app) named(ctx context.Context, name string) (n named, err error) {
	c, namespace, err := a.cluster.connect()
	if err != nil {
		return n, clusterError(err)
	}
	n.client = c
	if n.decision, err = get[v1alpha1.ModelDecision](ctx, c, namespace, name); err != nil || n.decision != nil {
		return n, err
	}
	if n.guard, err = get[v1alpha1.ModelGuard](ctx, c, namespace, name); err != nil {
		return n, err
	}
	if n.guard == nil {
		return n, fmt.Errorf("namespace %s has neither a decision nor a guard %s: \"kubectl get modelguards,modeldecisions -A\" lists them", namespace, name)
	}
	if last := n.guard.Status.Decision; last != nil {
		n.decision, err = get[v1alpha1.ModelDecision](ctx, c, namespace, last.Name)
	}
	return n, err
}

// get reads an object; nil where there is none.
func get[T any, P interface {
	*T
	client.Object
}](ctx context.Context, c client.Client, namespace, name string) (P, error) {
	o := P(new(T))
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, clusterError(err)
	}
	return o, nil
}

// clusterError says what to do about a cluster that does not answer.
func clusterError(err error) error {
	if meta.IsNoMatchError(err) {
		return fmt.Errorf("the cluster does not know Leeway's objects: is Leeway installed there? %w", err)
	}
	if apierrors.ReasonForError(err) != "" {
		return fmt.Errorf("the cluster answered: %w", err)
	}
	return fmt.Errorf("the cluster can't be reached; check KUBECONFIG, --kubeconfig and --context: %w", err)
}
