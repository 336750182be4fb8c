package main

import (
	"fmt"
	"io"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func newReject(a *app) *cobra.Command {
	return newChange(a, v1alpha1.Rejected, &cobra.Command{
		Use:   "reject MODEL VERSION --reason TEXT",
		Short: "Mark a version as never to be gone back to",
		Long: `Mark a version as never to be gone back to. The version stays, with who
rejected it, when and why. --undo makes a rejected version registered again.`,
		Example: `  leeway reject churn 7 --reason "trained on leaked labels"
  leeway reject churn 7 --undo --reason "it was the network"`,
	})
}

func newRetire(a *app) *cobra.Command {
	return newChange(a, v1alpha1.Retired, &cobra.Command{
		Use:   "retire MODEL VERSION --reason TEXT",
		Short: "Mark a version as one that has had its time",
		Long: `Mark a version as one that has had its time: it is not matched any more, and
goes first when "leeway gc" makes room. It did nothing wrong: "leeway reject"
is for one that did. --undo makes a retired version registered again.`,
		Example: `  leeway retire churn 7 --reason "its features are gone"
  leeway retire churn 7 --undo --reason "they came back"`,
	})
}

// newChange completes a command that changes a version's lifecycle.
func newChange(a *app, to v1alpha1.Lifecycle, cmd *cobra.Command) *cobra.Command {
	var (
		f format
		c change
	)
	cmd.Args = exactArgs(2)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := registry.ParseNumber(args[1])
		if err != nil {
			return usageError{err}
		}
		if strings.TrimSpace(c.reason) == "" {
			return usage("say why, with --reason: the next person will want to know")
		}
		c.model, c.number, c.to = args[0], n, to
		s, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		v, from, err := a.change(cmd, s, c)
		if err != nil {
			return err
		}
		w := view(v)
		return f.print(a.out, w, func(out io.Writer) {
			fmt.Fprintf(out, "version %d of %s: %s, was %s\n", n, c.model, w.Lifecycle, from)
		})
	}
	f.addTo(cmd)
	cmd.Flags().StringVar(&c.reason, "reason", "", "why, for those who come after")
	cmd.Flags().StringVar(&c.by, "by", "", "who; by default the cluster's user, or the system's")
	cmd.Flags().BoolVar(&c.undo, "undo", false, "make the version registered again")
	return cmd
}

// change is one of a lifecycle, or its undoing.
type change struct {
	model      string
	number     int64
	to         v1alpha1.Lifecycle
	reason, by string
	undo       bool
}

// change makes a change, and returns the version as it is then and the
// lifecycle that it had.
func (a *app) change(cmd *cobra.Command, s registry.Store, c change) (v registry.Version, from v1alpha1.Lifecycle, err error) {
	if v, err = s.Get(cmd.Context(), c.model, c.number); err != nil {
		return v, "", err
	}
	from, to := v.Lifecycle, c.to
	if c.undo {
		from, to = c.to, v1alpha1.Registered
	}
	if v.Lifecycle == to {
		return v, "", fmt.Errorf("version %d of %s is %s already: %s", c.number, c.model, to, v.Reason)
	}
	if c.by == "" {
		if c.by, err = a.who(cmd); err != nil {
			return v, "", err
		}
	}
	if err := s.SetLifecycle(cmd.Context(), c.model, c.number, from, to, c.by, c.reason); err != nil {
		return v, "", err
	}
	v, err = s.Get(cmd.Context(), c.model, c.number)
	return v, from, err
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
