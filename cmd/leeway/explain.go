package main

import (
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
answered, what was decided, what happened and how it came out: from the record
of the decision alone. With a guard's name: where the guard stands, and its
last decision.`,
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
	b, err := a.readFile(name, maxRecord)
	if err != nil {
		return "", err
	}
	var d v1alpha1.ModelDecision
	if err := yaml.Unmarshal(b, &d); err != nil {
		return "", fmt.Errorf("%s: not the record of a decision: %w", name, err)
	}
	if d.Spec.Action == "" {
		return "", fmt.Errorf("%s: not the record of a decision: it has no spec.action", name)
	}
	return explain.Decision(d), nil
}

func (a *app) explainObject(cmd *cobra.Command, name string) (string, error) {
	c, namespace, err := a.cluster.connect()
	if err != nil {
		return "", clusterError(err)
	}
	key := client.ObjectKey{Namespace: namespace, Name: name}
	var d v1alpha1.ModelDecision
	err = c.Get(cmd.Context(), key, &d)
	if err == nil {
		return explain.Decision(d), nil
	}
	if !apierrors.IsNotFound(err) {
		return "", clusterError(err)
	}
	var g v1alpha1.ModelGuard
	err = c.Get(cmd.Context(), key, &g)
	if apierrors.IsNotFound(err) {
		return "", fmt.Errorf("namespace %s has neither a decision nor a guard %s: \"kubectl get modelguards,modeldecisions -A\" lists them", namespace, name)
	}
	if err != nil {
		return "", clusterError(err)
	}
	text := explain.Guard(g)
	if g.Status.Decision == nil {
		return text + "It has decided nothing yet.\n", nil
	}
	key.Name = g.Status.Decision.Name
	err = c.Get(cmd.Context(), key, &d)
	if apierrors.IsNotFound(err) {
		return text + fmt.Sprintf("Its last decision, %s, is no longer kept.\n", key.Name), nil
	}
	if err != nil {
		return "", clusterError(err)
	}
	return text + "\n" + explain.Decision(d), nil
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
