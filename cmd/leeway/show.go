package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/registry"
)

func newShow(a *app) *cobra.Command {
	var (
		f       format
		profile string
	)
	cmd := &cobra.Command{
		Use:   "show MODEL VERSION",
		Short: "Show one version",
		Example: `  leeway show churn 7
  leeway show churn 7 --profile train.json   # write its training profile`,
		Args: exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := registry.ParseNumber(args[1])
			if err != nil {
				return usageError{err}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			v, err := s.Get(cmd.Context(), args[0], n)
			if err != nil {
				return err
			}
			if profile == "" {
				w := view(v)
				return f.print(a.out, w, w.table)
			}
			_, b, err := v.Profile()
			if err != nil {
				return err
			}
			return a.writeFile(profile, b)
		},
	}
	f.addTo(cmd)
	cmd.Flags().StringVar(&profile, "profile", "", "write the training profile to this `FILE` instead (- for standard output)")
	return cmd
}

// writeFile writes a file whole or not at all; "-" is standard output.
func (a *app) writeFile(name string, b []byte) error {
	if name == "-" {
		_, err := a.out.Write(b)
		return err
	}
	if err := replaceFile(name, b); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
