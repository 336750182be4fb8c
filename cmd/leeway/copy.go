package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/leeway-dev/leeway/registry"
)

func newCopy(a *app) *cobra.Command {
	var (
		f format
		o registry.CopyOptions
	)
	cmd := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Move versions between registries",
		Long: `Copy the versions of one registry into another, with their numbers, times,
lifecycles and audit trails, and the numbers of deleted versions, which are not
given again there either. Each version is read back and compared.

Interrupted or killed, the same command goes on where it was. Nobody may
register versions of these models meanwhile: stop those who do, copy, and have
them use the other registry.`,
		Example: `  leeway copy dir:.leeway s3://models/registry
  leeway copy kube:ml s3://models/registry --model churn --dry-run`,
		Args: exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == args[1] {
				return usage("%s is both the registry to copy from and to", args[0])
			}
			from, err := a.openURI(cmd.Context(), &args[0])
			if err != nil {
				return err
			}
			to, err := a.openImporter(cmd.Context(), &args[1])
			if err != nil {
				return err
			}
			p := newCopyProgress(a.err)
			o.Progress = p.tell
			copied, err := registry.Copy(cmd.Context(), from, to, o)
			p.done()
			if err != nil {
				a.note("%d versions were copied before; the same command goes on from there", total(copied))
				return fmt.Errorf("from %s to %s: %w", args[0], args[1], err)
			}
			if len(copied) == 0 {
				a.note("%s has no versions", args[0])
				copied = []registry.Copied{}
			}
			if o.DryRun {
				a.note("dry run: nothing was written")
			}
			return f.print(a.out, copied, func(w io.Writer) {
				fmt.Fprintln(w, "MODEL\tVERSIONS\tCOPIED\tDELETED")
				for _, c := range copied {
					fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", c.Model, c.Versions, c.Copied, c.Deleted)
					if c.Shortened > 0 {
						a.note("%s: %d versions have more audit lines than %s keeps: it has the latest", c.Model, c.Shortened, args[1])
					}
				}
			})
		},
	}
	cmd.Flags().StringVar(&o.Model, "model", "", "copy this model only")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "compare only, and say what would be copied")
	f.addTo(cmd)
	return cmd
}

// openImporter opens a registry that takes over versions as they are.
func (a *app) openImporter(ctx context.Context, uri *string) (registry.Importer, error) {
	s, err := a.openURI(ctx, uri)
	if err != nil {
		return nil, err
	}
	to, ok := s.(registry.Importer)
	if !ok {
		return nil, usage("%s gives numbers of its own, so versions can't be copied into it; copy into dir:, kube: or s3:", *uri)
	}
	return to, nil
}

func total(copied []registry.Copied) int {
	n := 0
	for _, c := range copied {
		n += c.Copied
	}
	return n
}

// copyProgress tells how far a copy got, to a person who is watching.
type copyProgress struct {
	w    io.Writer // nil when nobody watches
	told time.Time
}

func newCopyProgress(w io.Writer) *copyProgress {
	p := &copyProgress{told: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = w
	}
	return p
}

func (p *copyProgress) tell(model string, done, total int) {
	if p.w != nil && time.Since(p.told) >= progressEvery {
		p.told = time.Now()
		fmt.Fprintf(p.w, "\r\033[K%s: %d of %d versions", model, done, total)
	}
}

func (p *copyProgress) done() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\033[K")
	}
}
