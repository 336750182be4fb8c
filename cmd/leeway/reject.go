package main

import (
	"fmt"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func newReject(a *app) *cobra.Command {
	var (
		reason, by string
		undo       bool
	)
	cmd := &cobra.Command{
		Use:   "reject MODEL VERSION --reason TEXT",
		Short: "Mark a version as never to be gone back to",
		Long: `Mark a version as never to be gone back to. The version stays, with who
rejected it, when and why. --undo makes a rejected version registered again.`,
		Example: `  leeway reject churn 7 --reason "trained on leaked labels"
  leeway reject churn 7 --undo --reason "it was the network"`,
		Args: exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := registry.ParseNumber(args[1])
			if err != nil {
				return usageError{err}
			}
			if strings.TrimSpace(reason) == "" {
				return usage("say why, with --reason: the next person will want to know")
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			v, err := s.Get(cmd.Context(), args[0], n)
			if err != nil {
				return err
			}
			from, to := v.Lifecycle, v1alpha1.Rejected
			if undo {
				from, to = v1alpha1.Rejected, v1alpha1.Registered
			}
			if v.Lifecycle == to {
				return fmt.Errorf("version %d of %s is %s already: %s", n, args[0], to, v.Reason)
			}
			if by == "" {
				if by, err = a.who(cmd); err != nil {
					return err
				}
			}
			if err := s.SetLifecycle(cmd.Context(), args[0], n, from, to, by, reason); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "version %d of %s: %s, was %s\n", n, args[0], to, from)
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who come after")
	cmd.Flags().StringVar(&by, "by", "", "who; by default the cluster's user, or the system's")
	cmd.Flags().BoolVar(&undo, "undo", false, "make a rejected version registered again")
	return cmd
}

// who is asking: as the cluster knows the user, or the operating system.
func (a *app) who(cmd *cobra.Command) (string, error) {
	if strings.HasPrefix(a.storeURI, "kube:") {
		name, err := a.cluster.user(cmd.Context())
		if err != nil {
			return "", fmt.Errorf("who are you? Say so with --by: %w", err)
		}
		return name, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("who are you? Say so with --by: %w", err)
	}
	return u.Username, nil
}
