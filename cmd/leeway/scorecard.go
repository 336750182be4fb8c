package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/scorecard"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

func newScorecard(a *app) *cobra.Command {
	var (
		f     format
		since string
	)
	cmd := &cobra.Command{
		Use:   "scorecard GUARD",
		Short: "What Leeway proposed, against what people did",
		Long: `Hold what a guard proposed or did against what people did: who agreed, who did
otherwise, what passed by itself, and how long each went on. A kind of act in
which people agreed five times and never did otherwise has earned to be
approved (Approve), and after ten approvals to be left to Leeway (Auto). It is
said; you change the guard.

As far back as decisions (the last 50 of a guard) and stays (the last 20) are
kept. What was bad is the time from the decision to the change, or to the last
alert.`,
		Example: "  kubectl leeway scorecard churn -n ml --since 14d",
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			span, err := model.ParseDuration(since)
			if err != nil {
				return usage("--since %q: %v; write 14d or 12h", since, err)
			}
			c, namespace, err := a.cluster.connect()
			if err != nil {
				return clusterError(err)
			}
			g, err := get[v1alpha1.ModelGuard](cmd.Context(), c, namespace, args[0])
			if err != nil {
				return err
			}
			if g == nil {
				return fmt.Errorf("namespace %s has no guard %s: \"kubectl leeway guards -A\" lists them", namespace, args[0])
			}
			var list v1alpha1.ModelDecisionList
			if err := c.List(cmd.Context(), &list, client.InNamespace(namespace)); err != nil {
				return clusterError(err)
			}
			now := time.Now()
			card := scorecard.New(*g, list.Items, now.Add(-time.Duration(span)), now)
			return f.print(a.out, card, func(w io.Writer) { writeCard(w, card, since) })
		},
	}
	f.addTo(cmd)
	cmd.Flags().StringVar(&since, "since", "14d", "how far back")
	return cmd
}

func writeCard(w io.Writer, c scorecard.Card, since string) {
	if len(c.Lines) == 0 {
		fmt.Fprintf(w, "Guard %s proposed nothing in the last %s.\n", c.Guard, since)
	} else {
		fmt.Fprintln(w, "TIME\tCAUSE\tPROPOSED\tVERDICT\tBAD FOR\tDECISION")
		for _, l := range c.Lines {
			proposed, verdict := l.Action+" "+l.From+" → "+cmp.Or(l.To, "new"), string(l.Verdict)
			switch {
			case l.By != "":
				verdict += " (approved by " + l.By + ")"
			case l.Verdict == scorecard.Differed:
				verdict += " (went to " + l.Did + ")"
			case l.Verdict == scorecard.Acted && l.Outcome != "":
				verdict += " (" + l.Outcome + ")"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.At.UTC().Format("2006-01-02 15:04"), l.Cause, proposed, verdict, lasted(l.BadSeconds), l.Decision)
		}
		fmt.Fprintln(w)
	}
	for _, u := range c.Unsaid {
		fmt.Fprintf(w, "%s: people went back from %s to %s, which nobody had proposed.\n", u.At.UTC().Format("2006-01-02 15:04"), u.From, u.To)
	}
	for _, k := range c.Kinds {
		fmt.Fprintf(w, "%s (%s): %s; bad for %s.", k.Name, k.Level, counts(k), lasted(k.BadSeconds))
		if k.Raise != "" {
			fmt.Fprintf(w, " People always agreed: spec.autonomy.%s may be raised to %s.", k.Name, k.Raise)
		}
		fmt.Fprintln(w)
	}
}

// counts says how often each verdict was given.
func counts(k scorecard.Kind) string {
	var parts []string
	for _, v := range []scorecard.Verdict{scorecard.Agreed, scorecard.Differed, scorecard.Declined, scorecard.Acted, scorecard.Open} {
		if n := k.Count[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	if k.Worse > 0 {
		parts = append(parts, fmt.Sprintf("%d proved worse", k.Worse))
	}
	return strings.Join(parts, ", ")
}

func lasted(seconds float64) string {
	return model.Duration(time.Duration(seconds * float64(time.Second)).Round(time.Second)).String()
}
