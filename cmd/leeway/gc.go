package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// gcOptions are what the flags of gc say.
type gcOptions struct {
	olderThan, maxSize string
	keep               int
	yes                bool
	by, reason         string
}

func newGC(a *app) *cobra.Command {
	var (
		f format
		o gcOptions
	)
	cmd := &cobra.Command{
		Use:   "gc [MODEL] {--older-than AGE | --keep N | --max-size SIZE}",
		Short: "Delete versions that have had their time",
		Long: `Delete versions of a model, or of all models, that are too old, too many or too
large together: one that any of the flags asks for. Without --yes it only shows
what would go, and why the others stay.

Never deleted are: live versions; the last good one, which was in service before;
registered ones that are newer than the live one, or the newest where none is
live; what a guard has served or is about to (kube: only, where the guards are
known); and the parents of versions that stay for another reason. Rejected and
retired versions go first, then the oldest.

A version goes with its profile. Its number is not given again, and the registry
keeps who deleted it, when and why. Artifacts stay where they are.`,
		Example: `  leeway gc churn --keep 20
  leeway gc --older-than 365d --max-size 200Mi
  leeway gc churn --keep 20 --yes --reason "quarterly clean-up"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("%d arguments, want: %s", len(args), cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := o.retention()
			if err != nil {
				return usageError{err}
			}
			rows, failed := a.gc(cmd, args, o, r)
			if failed != nil && len(rows) == 0 {
				return failed
			}
			a.tellGC(rows, o.yes)
			return errors.Join(failed, f.print(a.out, rows, func(w io.Writer) { gcTable(w, rows) }))
		},
	}
	f.addTo(cmd)
	fs := cmd.Flags()
	fs.StringVar(&o.olderThan, "older-than", "", "`AGE` since the registration or the last change, such as 365d or 12h")
	fs.IntVar(&o.keep, "keep", 0, "how many versions of a model to keep")
	fs.StringVar(&o.maxSize, "max-size", "", "`SIZE` of a model's versions together, such as 200Mi")
	fs.BoolVar(&o.yes, "yes", false, "delete them")
	fs.StringVar(&o.reason, "reason", "", "why, beside what the flags say")
	fs.StringVar(&o.by, "by", "", "who; by default the cluster's user, or the system's")
	return cmd
}

func (o gcOptions) retention() (r registry.Retention, err error) {
	if o.olderThan == "" && o.keep == 0 && o.maxSize == "" {
		return r, errors.New("say what may go, with --older-than, --keep or --max-size")
	}
	if o.keep < 0 {
		return r, fmt.Errorf("--keep %d: want a whole number from 1", o.keep)
	}
	r.Keep = o.keep
	if o.olderThan != "" {
		if r.OlderThan, err = parseAge(o.olderThan); err != nil {
			return r, err
		}
	}
	if o.maxSize != "" {
		q, err := resource.ParseQuantity(o.maxSize)
		if err != nil || q.Value() < 1 {
			return r, fmt.Errorf("--max-size %q: want a size such as 200Mi", o.maxSize)
		}
		r.MaxBytes = q.Value()
	}
	return r, nil
}

// parseAge reads a number of days, or a duration as Go has it.
func parseAge(s string) (time.Duration, error) {
	var age time.Duration
	var err error
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		age = time.Duration(min(n, 100_000)) * 24 * time.Hour
	} else {
		age, err = time.ParseDuration(s)
	}
	if err != nil || age <= 0 {
		return 0, fmt.Errorf("--older-than %q: want an age such as 365d or 12h", s)
	}
	return age, nil
}

// gcRow is one version as gc prints it.
type gcRow struct {
	Model     string             `json:"model"`
	Version   string             `json:"version"`
	Lifecycle v1alpha1.Lifecycle `json:"lifecycle"`
	Created   time.Time          `json:"created"`
	Bytes     int64              `json:"bytes"`
	// Action is keep or delete, and deleted once it was.
	Action string           `json:"action"`
	Reason registry.Verdict `json:"reason"`
	Detail string           `json:"detail,omitempty"`
}

// gc looks at one model after the other, and deletes before it looks at the
// next. What was done is returned with what went wrong.
func (a *app) gc(cmd *cobra.Command, models []string, o gcOptions, r registry.Retention) ([]gcRow, error) {
	ctx := cmd.Context()
	s, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	if o.yes && o.by == "" {
		if o.by, err = a.who(cmd); err != nil {
			return nil, err
		}
	}
	if len(models) == 0 {
		if models, err = s.Models(ctx); err != nil {
			return nil, err
		}
	}
	all := []gcRow{}
	for _, model := range models {
		rows, err := a.gcModel(ctx, s, model, o, r)
		all = append(all, rows...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (a *app) gcModel(ctx context.Context, s registry.Store, model string, o gcOptions, r registry.Retention) (rows []gcRow, err error) {
	inUse, err := a.guarded(ctx, model)
	if err != nil {
		return nil, err
	}
	versions, err := s.List(ctx, model)
	if err != nil {
		return nil, err
	}
	retained, err := registry.Retain(versions, r, inUse, time.Now())
	if err != nil {
		return nil, err
	}
	for _, v := range retained {
		row := gcRow{
			Model: model, Version: strconv.FormatInt(v.Version.Number, 10), Lifecycle: v.Version.Lifecycle, Created: v.Version.Created.UTC(),
			Bytes: v.Bytes, Action: "keep", Reason: v.Verdict, Detail: v.Detail,
		}
		if v.Goes {
			row.Action = "delete"
		}
		if v.Goes && o.yes && err == nil {
			if err = s.Delete(ctx, model, v.Version.Number, o.by, o.why(v)); err == nil || errors.Is(err, registry.ErrNotFound) {
				row.Action, err = "deleted", nil
			}
		}
		rows = append(rows, row)
	}
	return rows, err
}

// why is what the registry keeps of a deletion.
func (o gcOptions) why(v registry.Retained) string {
	why := fmt.Sprintf("gc: %s, %s", v.Verdict, v.Detail)
	if o.reason != "" {
		why = o.reason + " (" + why + ")"
	}
	return why
}

func (a *app) tellGC(rows []gcRow, yes bool) {
	var n int
	var bytes int64
	for _, row := range rows {
		if row.Action != "keep" {
			n++
			bytes += row.Bytes
		}
	}
	switch {
	case n == 0:
		a.note("nothing is to be deleted")
	case !yes:
		a.note("nothing was deleted yet: --yes deletes %d of %d versions, %s", n, len(rows), size(bytes))
	}
}

func gcTable(w io.Writer, rows []gcRow) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(w, "MODEL\tVERSION\tLIFECYCLE\tCREATED\tSIZE\tACTION\tREASON")
	for _, r := range rows {
		reason := string(r.Reason)
		if r.Detail != "" {
			reason += ": " + r.Detail
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Model, r.Version, r.Lifecycle, r.Created.Format(time.DateOnly), size(r.Bytes), r.Action, reason)
	}
}

// size is a number of bytes for people.
func size(bytes int64) string {
	switch {
	case bytes >= 10<<20:
		return fmt.Sprintf("%d MiB", bytes>>20)
	case bytes >= 10<<10:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d B", bytes)
}
