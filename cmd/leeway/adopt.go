package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// adoption is what the flags of adopt say.
type adoption struct {
	registration
	columns profile.AdoptOptions
	pods    livePods
	files   []string
	minRows int64
	out     string
	dryRun  bool
}

func newAdopt(a *app) *cobra.Command {
	var (
		d adoption
		f format
	)
	cmd := &cobra.Command{
		Use:   "adopt MODEL --artifact URI [LIVE...]",
		Short: "Register a version with a profile of its live traffic",
		Long: `Register a version whose training data is not at hand, with a profile that is
made of what its pods see: today's traffic becomes the reference that later
traffic is compared with. That is a choice. What is wrong today is from then on
what is expected; a profile of training data is better where there is one.

The live profiles come from the sidecars of all pods of the model, through the
API server (you need the rights to list pods and to "get pods/proxy"), or from
files. A sidecar without a profile learns columns from requests that name their
values; where the rows have no names there is nothing to adopt. Bins are within
0.54% of the rows of what the rows themselves would give.

Prints the version's number, and says what to stamp on the pods.`,
		Example: `  kubectl leeway adopt churn --artifact s3://models/churn/7 -n ml
  kubectl leeway adopt churn --artifact s3://models/churn/7 --pod-version 3 --from-live 6h --metric mae=6.4
  leeway adopt churn --dry-run --profile-out adopted.json live1.json live2.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name the model: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d.spec.Model, d.files = args[0], args[1:]
			if err := d.check(); err != nil {
				return err
			}
			return a.adopt(cmd.Context(), d, f)
		},
	}
	fs := cmd.Flags()
	d.addFlags(a, fs)
	fs.DurationVar(&d.pods.window, "from-live", 24*time.Hour,
		"`TIME` up to now whose rows are adopted, at most 24h; rounded to days (UTC) where a sidecar has no profile yet")
	fs.StringVar(&d.pods.selector, "selector", "", "label `SELECTOR` of the pods; by default leeway.dev/model=MODEL")
	fs.StringVar(&d.pods.version, "pod-version", "", "the pods' leeway.dev/version, where there are several")
	fs.DurationVar(&d.pods.timeout, "timeout", 10*time.Second, "`TIME` for the answer of a pod")
	fs.StringSliceVar(&d.columns.Ignore, "ignore", nil, "`columns` to leave out, such as identifiers")
	fs.StringSliceVar(&d.columns.Redact, "redact", nil, "`columns` whose categories are kept as hashes only")
	fs.Int64Var(&d.minRows, "min-rows", 1000, "fewest rows that are adopted")
	fs.BoolVar(&d.dryRun, "dry-run", false, "register nothing; show what was found")
	fs.StringVar(&d.out, "profile-out", "", "`FILE` to write the profile to; - is standard output")
	f.addTo(cmd)
	return cmd
}

func (d *adoption) check() error {
	switch {
	case d.spec.Artifact.URI == "" && !d.dryRun:
		return usage("a version needs --artifact; to look first, --dry-run")
	case d.pods.window <= 0 || d.pods.window > 24*time.Hour:
		return usage("--from-live %v: sidecars remember up to 24h", d.pods.window)
	case d.minRows < 1:
		return usage("--min-rows %d: want 1 or more", d.minRows)
	case d.out == "-" && !d.dryRun:
		return usage("--profile-out -: standard output has the version's number; write a file, or use --dry-run")
	case len(d.files) > 0 && (d.pods.selector != "" || d.pods.version != ""):
		return usage("--selector and --pod-version choose pods; there are files")
	}
	return registry.ValidateModel(d.spec.Model)
}

func (a *app) adopt(ctx context.Context, d adoption, f format) error {
	live, err := a.live(ctx, d)
	if err != nil {
		return err
	}
	p, err := a.adopted(live, d)
	if err != nil {
		return err
	}
	if d.encoded, err = p.Encode(); err != nil {
		return err
	}
	if d.dryRun || f == "table" {
		tellProfile(a.err, p, d.encoded)
	}
	if d.out != "" {
		if err := a.writeFile(d.out, d.encoded); err != nil {
			return err
		}
	}
	if d.dryRun {
		return nil
	}
	if d.spec.Dataset.Name == "" {
		d.spec.Dataset.Name = "live traffic"
	}
	v, err := a.register(ctx, d.registration)
	if err != nil {
		return err
	}
	if f != "table" {
		return f.print(a.out, view(v), nil)
	}
	if _, err := fmt.Fprintln(a.out, v.Number); err != nil {
		return err
	}
	a.note("stamp the pod template of %s, in one change, and the pods compare with it:\n"+
		"  labels:      {leeway.dev/model: %s, leeway.dev/version: \"%d\"}\n"+
		"  annotations: {leeway.dev/profile-digest: %q}", v.Model, v.Model, v.Number, v.Spec.Profile.Digest)
	return nil
}

// live reads the live profiles, from files or pods.
func (a *app) live(ctx context.Context, d adoption) ([]*profile.Profile, error) {
	if len(d.files) == 0 {
		return a.fetchLive(ctx, d.spec.Model, d.pods)
	}
	var list []*profile.Profile
	for _, name := range d.files {
		p, err := a.readProfile(name)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// errFewRows: a reference of less would alert on noise.
var errFewRows = errors.New("too few rows")

func (a *app) adopted(live []*profile.Profile, d adoption) (*profile.Profile, error) {
	p, leftOut, err := profile.Adopt(d.columns, live...)
	if err != nil {
		return nil, err
	}
	if p.Rows < d.minRows {
		return nil, fmt.Errorf("%w: %d were seen, --min-rows is %d: wait for more traffic", errFewRows, p.Rows, d.minRows)
	}
	if len(leftOut) > 0 {
		a.note("left out, without a single value: %s", strings.Join(leftOut, ", "))
	}
	for _, c := range p.Features {
		if unseen := len(c.Bins) - 2; c.Type == profile.Category && c.Bins[unseen].Count > c.Rows/2 {
			a.note("column %s: most of its categories came once; if it is an identifier, --ignore it", c.Name)
		}
	}
	if len(p.Predictions) == 0 {
		a.note("no predictions were seen: they will not be watched")
	}
	return p, nil
}
