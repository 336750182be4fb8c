package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/registry/store"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func newVersions(a *app) *cobra.Command {
	var (
		f          format
		lifecycles []string
	)
	cmd := &cobra.Command{
		Use:     "versions MODEL",
		Short:   "List the versions of a model",
		Example: "  leeway versions churn\n  leeway versions churn --lifecycle live,registered\n  kubectl leeway versions churn -n ml -o json",
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, l := range lifecycles {
				if !slices.Contains(allLifecycles(), l) {
					return usage("--lifecycle %q: want one of %s", l, strings.Join(allLifecycles(), ", "))
				}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			vs, err := s.List(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			views := []versionView{}
			for _, v := range vs {
				if len(lifecycles) > 0 && !slices.Contains(lifecycles, string(v.Lifecycle)) {
					continue
				}
				views = append(views, view(v))
			}
			if len(vs) == 0 {
				a.note("%s has no versions in %s", args[0], store.Redact(a.storeURI))
				if f == "table" {
					return nil
				}
			}
			return f.print(a.out, views, func(w io.Writer) {
				fmt.Fprintln(w, "VERSION\tLIFECYCLE\tCREATED\tDATA\tMETRICS\tARTIFACT")
				for _, v := range views {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Version, v.Lifecycle, v.Created.UTC().Format(time.DateTime), datasetText(v.Dataset), metrics(v.Metrics), v.Artifact.URI)
				}
			})
		},
	}
	f.addTo(cmd)
	cmd.Flags().StringSliceVar(&lifecycles, "lifecycle", nil, "only versions with one of these: "+strings.Join(allLifecycles(), ", "))
	return cmd
}

func allLifecycles() []string {
	return []string{string(v1alpha1.Registered), string(v1alpha1.Live), string(v1alpha1.Rejected), string(v1alpha1.Retired)}
}
