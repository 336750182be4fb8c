package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// plainWidth is that of a picture that is not for a terminal.
const plainWidth = 100

// timeLayout is how times are written: with seconds where all happens in hours.
func timeLayout(r *backtest.Result) string {
	if r.To.Sub(r.From) < 6*time.Hour {
		return "2006-01-02 15:04:05"
	}
	return "2006-01-02 15:04"
}

// backtestReport writes what would have been, for people: what would have been
// done, what was alerted, and how it came to that.
func (a *app) backtestReport(r *backtest.Result, width int) error {
	colour := false
	if f, ok := a.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		colour = a.env("NO_COLOR") == ""
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && width == 0 {
			width = w
		}
	}
	if n, err := strconv.Atoi(a.env("COLUMNS")); err == nil && width == 0 {
		width = n
	}
	if width == 0 {
		width = plainWidth
	}
	layout := timeLayout(r)
	fmt.Fprintf(a.out, "%s to %s (UTC)\n", r.From.Format(layout), r.To.Format(layout))
	if err := table(a.out, func(w io.Writer) { backtestReleases(w, r) }); err != nil {
		return err
	}
	backtestDecisions(a.out, r)
	if err := table(a.out, func(w io.Writer) { backtestAlerts(w, r) }); err != nil {
		return err
	}
	newPicture(a.out, r, width, colour).draw()
	for _, n := range r.Notes {
		fmt.Fprintf(a.out, "\nNote: %s.\n", n)
	}
	return nil
}

func table(w io.Writer, f func(io.Writer)) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	f(t)
	return t.Flush()
}

func backtestReleases(w io.Writer, r *backtest.Result) {
	if len(r.Releases) < 2 {
		return
	}
	layout := timeLayout(r)
	fmt.Fprintln(w, "\nIN SERVICE\tMODEL\tVERSION\tSETTLED")
	for _, x := range r.Releases {
		settled := "-"
		if x.Settled != nil {
			settled = x.Settled.UTC().Format(layout)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", x.Began.UTC().Format(layout), x.Model, x.Version, settled)
	}
}

// backtestDecisions tells what would have been done, each with its reason in a
// sentence.
func backtestDecisions(w io.Writer, r *backtest.Result) {
	if len(r.Decisions) == 0 {
		fmt.Fprintln(w, "\nNothing would have been decided.")
		return
	}
	layout := timeLayout(r)
	_ = table(w, func(w io.Writer) {
		fmt.Fprintln(w, "\nDECIDED\tMODEL\tVERSION\tCAUSE\tCANDIDATE\tACTION\tREASON")
		for i := range r.Decisions {
			d := &r.Decisions[i].Spec
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.DecidedAt.UTC().Format(layout), d.Model, d.From, d.Cause, nearest(d), would(d), d.Reason)
		}
	})
	for i := range r.Decisions {
		d := &r.Decisions[i]
		fmt.Fprintf(w, "\n%s: %s.\n", d.Spec.DecidedAt.UTC().Format(layout), strings.TrimSuffix(d.Status.Message, "."))
	}
}

// nearest is the version that was ranked first, and whether it would do.
func nearest(d *v1alpha1.ModelDecisionSpec) string {
	if d.Match == nil {
		return "-"
	}
	for _, c := range d.Match.Candidates {
		if c.Live {
			continue
		}
		x, _ := strconv.ParseFloat(c.Distance, 64)
		switch {
		case c.Fits && c.Better:
			return fmt.Sprintf("%s (%.3f, fits)", c.Version, x)
		case c.Fits:
			return fmt.Sprintf("%s (%.3f, no better)", c.Version, x)
		}
		return fmt.Sprintf("%s (%.3f, does not fit)", c.Version, x)
	}
	return "none"
}

// would says how far it would have gone.
func would(d *v1alpha1.ModelDecisionSpec) string {
	action := d.Action
	switch {
	case d.Action == string(decide.Evaluate):
		action += " (not run here)"
	case d.To != "" && decide.Action(d.Action).Acts():
		action += " to " + d.To
	}
	if !decide.Action(d.Action).Acts() {
		return action
	}
	switch d.Autonomy {
	case v1alpha1.Auto:
		return action
	case v1alpha1.Approve:
		if evidence.Alone(d.Autonomy, decide.Action(d.Action)) {
			return action
		}
		return action + ", if approved"
	}
	return "would " + action
}

func backtestAlerts(w io.Writer, r *backtest.Result) {
	if len(r.Alerts) == 0 {
		fmt.Fprintln(w, "\nNo alert would have fired.")
		return
	}
	layout := timeLayout(r)
	fmt.Fprintln(w, "\nFIRED\tFOR\tALERT\tCLOCK\tMODEL\tVERSION\tCOLUMN\tVALUE")
	for _, e := range r.Alerts {
		lasted := "still"
		if e.Ended != nil {
			lasted = lastedFor(e.Ended.Sub(e.Fired))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Fired.Format(layout), lasted, e.Alert, dash(e.Labels["leeway_clock"]),
			e.Labels["model_name"], e.Labels["model_version"], dash(e.Subject()), figure(e.Value))
	}
}

// lastedFor writes a duration in its largest unit or two.
func lastedFor(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.Round(time.Second).String()
}
