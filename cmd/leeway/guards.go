package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

func newGuards(a *app) *cobra.Command {
	var (
		f   format
		all bool
	)
	cmd := &cobra.Command{
		Use:     "guards",
		Short:   "List the guards and where they stand",
		Example: "  kubectl leeway guards -n ml\n  kubectl leeway guards -A",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, namespace, err := a.cluster.connect()
			if err != nil {
				return clusterError(err)
			}
			if all {
				namespace = ""
			}
			var list v1alpha1.ModelGuardList
			if err := c.List(cmd.Context(), &list, client.InNamespace(namespace)); err != nil {
				return clusterError(err)
			}
			if len(list.Items) == 0 {
				a.note("no guards in %s", cmp.Or(namespace, "the cluster"))
			}
			return f.print(a.out, list.Items, func(w io.Writer) {
				fmt.Fprintln(w, "NAMESPACE\tGUARD\tMODEL\tWORKLOAD\tVERSION\tPHASE\tREASON\tRETRAIN\tDECISION")
				for _, g := range list.Items {
					retrain, decision := "-", "-"
					if r := g.Status.Retrain; r != nil {
						retrain = cmp.Or(r.Phase, "-")
					}
					if d := g.Status.Decision; d != nil {
						decision = d.Name
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s/%s\t%s\t%s\t%s\t%s\t%s\n", g.Namespace, g.Name, g.Spec.Model, g.Spec.Workload.Kind, g.Spec.Workload.Name,
						cmp.Or(g.Status.ActiveVersion, "-"), cmp.Or(string(g.Status.Phase), "-"), cmp.Or(g.Status.Reason, "-"), retrain, decision)
				}
			})
		},
	}
	f.addTo(cmd)
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "of all namespaces")
	return cmd
}
