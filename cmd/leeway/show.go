package main

import (
	"context"
	"errors"
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
		Long: `Show one version: where it comes from, what it was trained on, and every change
of its lifecycle, with when, who and why. Of a version that was deleted it says
who did it, where the registry keeps that.`,
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
			if errors.Is(err, registry.ErrNotFound) {
				return deletedSince(cmd.Context(), s, args[0], n, err)
			}
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

// deletedSince adds to "not found" who deleted a version, where that is known.
func deletedSince(ctx context.Context, s registry.Store, model string, number int64, err error) error {
	deletions, _ := registry.Deletions(ctx, s, model) // the error that is there says more
	for _, d := range deletions {
		if d.Number == number && d.By != "" {
			return fmt.Errorf("%w: deleted %s by %s: %s", err, moment(d.Time), d.By, d.Reason)
		}
	}
	return err
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
