package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// median is of delays, +Inf where half of them are never.
func median(delays []int) float64 {
	d := make([]float64, len(delays))
	for i, rows := range delays {
		if d[i] = float64(rows); rows == 0 {
			d[i] = math.Inf(1)
		}
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// seen is the share of changes that were noticed at all.
func seen(delays []int) float64 {
	n := 0
	for _, rows := range delays {
		if rows > 0 {
			n++
		}
	}
	return float64(n) / float64(len(delays))
}

func rowsText(x float64) string {
	if math.IsInf(x, 1) {
		return "never"
	}
	return fmt.Sprintf("%.0f", x)
}

// cell is the median delay, and how many saw the change where not all did.
func (f finding) cell() string {
	text := rowsText(median(f.Delays))
	if s := seen(f.Delays); s < 1 {
		text += fmt.Sprintf(", %.0f %% see it", 100*s)
	}
	return text
}

// what names a detector and how it is set, apart from its threshold.
func (f finding) what() string {
	switch {
	case f.Size > 0:
		return fmt.Sprintf("%s, %d rows", f.Detector, f.Size)
	case f.Variant != "":
		return f.Detector + ", " + f.Variant
	}
	return f.Detector
}

// findings are those of a change.
type findings []finding

func (s findings) of(change string, keep func(finding) bool) findings {
	var out findings
	for _, f := range s {
		if f.Change == change && keep(f) {
			out = append(out, f)
		}
	}
	return out
}

// best is the soonest, in hindsight, of those whose false alarms before the
// change are no more than one: more is not what they were to have.
func (s findings) best() (finding, bool) {
	s = slices.DeleteFunc(slices.Clone(s), func(f finding) bool { return f.Early > 1 })
	if len(s) == 0 {
		return finding{}, false
	}
	return slices.MinFunc(s, func(a, b finding) int { return cmp.Compare(median(a.Delays), median(b.Delays)) }), true
}

// ours is a rule of Leeway's at so many rows an hour.
func ours(detector string, hourly float64) func(finding) bool {
	return func(f finding) bool {
		return f.Package == leeway && f.Detector == detector && f.Variant == atRate(hourly)
	}
}

// printPeers prints what was found: change by change, detector by detector, and
// against the goals.
func (b *bench) printPeers(spec peerSpec, all findings) {
	var versions []string
	for _, f := range all {
		if name := f.Package + " " + f.Version; f.Version != "" && !slices.Contains(versions, name) {
			versions = append(versions, name)
		}
	}
	fmt.Printf("\n### Rows from a change to the alarm, beside %s\n\nMedian of %d trials, training data of %d rows. Peers: the soonest of their detectors and sizes, in hindsight, that had at most one false alarm before the change. Mean rows between false alarms, for all:",
		strings.Join(versions, ", "), len(spec.Changes[0].At), spec.Reference)
	for _, c := range spec.Calms {
		fmt.Printf(" %s %.2g;", c.Name, c.Between)
	}
	fmt.Println()
	kinds := map[string]string{}
	for _, c := range spec.Calms {
		kinds[c.Name] = c.Kind
	}
	var inputs, answers []string
	for _, c := range spec.Changes {
		if kinds[c.Calm] == wrong {
			answers = append(answers, c.Name)
		} else {
			inputs = append(inputs, c.Name)
		}
	}
	printChanges(all, inputs, []string{ladderRule})
	printChanges(all, answers, []string{answersRule, qualityRule})
	fmt.Println("\n### Each detector with one setting for all changes of inputs")
	printDetectors(all, inputs, ladderRule)
	fmt.Println("\n### Each detector with one setting for all changes of what is right")
	printDetectors(all, answers, answersRule)
	b.peerGoals(all, append(slices.Clone(inputs), answers...))
}

// peerColumns are those of a table, and what they are the soonest of.
var peerColumns = []struct {
	title string
	keep  func(finding) bool
}{
	{"Evidently", func(f finding) bool { return f.Package == "evidently" }},
	{"NannyML", func(f finding) bool { return f.Package == "nannyml" }},
	{"alibi-detect", func(f finding) bool { return f.Package == "alibi-detect" }},
	{"ADWIN", func(f finding) bool { return f.Detector == "ADWIN" }},
	{"Page-Hinkley", func(f finding) bool { return f.Detector == "Page-Hinkley" }},
	{"KSWIN", func(f finding) bool { return f.Detector == "KSWIN" }},
}

func printChanges(all findings, changes, rules []string) {
	fmt.Print("\n| change |")
	for _, rule := range rules {
		for _, hourly := range peerHourly {
			fmt.Printf(" %s, %.0f rows an hour |", rule, hourly)
		}
	}
	for _, c := range peerColumns {
		fmt.Printf(" %s |", c.title)
	}
	fmt.Printf("\n| --- |%s\n", strings.Repeat(" --- |", len(rules)*len(peerHourly)+len(peerColumns)))
	for _, change := range changes {
		fmt.Printf("| %s |", change)
		for _, rule := range rules {
			for _, hourly := range peerHourly {
				f, _ := all.of(change, ours(rule, hourly)).best()
				fmt.Printf(" %s |", f.cell())
			}
		}
		for _, c := range peerColumns {
			f, ok := all.of(change, c.keep).best()
			if !ok {
				fmt.Print(" |")
				continue
			}
			which := " (" + f.what() + ")"
			if f.what() == c.title || math.IsInf(median(f.Delays), 1) {
				which = ""
			}
			fmt.Printf(" %s%s |", f.cell(), strings.Replace(which, c.title+", ", "", 1))
		}
		fmt.Println()
	}
}

// printDetectors prints a row for each detector, and what one that always fires
// and one that never does would have.
func printDetectors(all findings, changes []string, rule string) {
	fmt.Printf("\n| detector | changes that half of the trials see | trials that see it | delay over that of the %s at %.0f rows an hour (geometric mean of the changes that both see) | sooner than it | false alarms before the change |\n| --- | --- | --- | --- | --- | --- |\n", rule, peerHourly[0])
	var names []string
	by := map[string]findings{}
	for _, f := range all {
		if !slices.Contains(changes, f.Change) {
			continue
		}
		name := f.Package + " " + f.what()
		if by[name] == nil {
			names = append(names, name)
		}
		by[name] = append(by[name], f)
	}
	fmt.Printf("| always fires | %d of %d | 100 %% | 0.00 | %d | all rows |\n", len(changes), len(changes), len(changes))
	fmt.Printf("| never fires | 0 of %d | 0 %% | | 0 | 0 |\n", len(changes))
	for _, name := range names {
		var logs, share float64
		var both, half, sooner, early int
		for _, f := range by[name] {
			ours, _ := all.of(f.Change, ours(rule, peerHourly[0])).best()
			mine, its := median(ours.Delays), median(f.Delays)
			share, early = share+seen(f.Delays)/float64(len(by[name])), early+f.Early
			if math.IsInf(its, 1) {
				continue
			}
			half++
			if its < mine {
				sooner++
			}
			if !math.IsInf(mine, 1) {
				both, logs = both+1, logs+math.Log(its/mine)
			}
		}
		fmt.Printf("| %s | %d of %d | %.0f %% | %.2f | %d | %d |\n", name, half, len(by[name]), 100*share, math.Exp(logs/float64(max(both, 1))), sooner, early)
	}
}

// peerGoals holds what was found against the goals.
func (b *bench) peerGoals(all findings, changes []string) {
	for _, hourly := range peerHourly {
		var soonest, windowed, near, late, noticed int
		var missed []string
		for _, change := range changes {
			mine, _ := all.of(change, func(f finding) bool {
				return f.Package == leeway && f.Detector != qualityRule && ours(f.Detector, hourly)(f)
			}).best()
			m := median(mine.Delays)
			if its, ok := all.of(change, func(f finding) bool { return f.Size > 0 }).best(); ok {
				windowed++
				if m <= median(its.Delays) {
					soonest++
				}
			}
			if its, ok := all.of(change, func(f finding) bool { return f.Values }).best(); ok && m > 100 {
				late++
				if m <= 2*median(its.Delays) {
					near++
				}
			}
			if seen(mine.Delays) == 1 {
				noticed++
			} else {
				missed = append(missed, change)
			}
		}
		at := ", " + atRate(hourly)
		if windowed > 0 {
			b.aim(soonest*5 >= windowed*4, "earliest of all that work on windows on 80 % of changes"+at, "%d of %d", soonest, windowed)
		}
		if late > 0 {
			b.aim(near == late, "within 2 times the soonest that looks at each value, above 100 rows"+at, "%d of %d", near, late)
		}
		b.aim(len(missed) == 0, "all kinds of change seen in all trials"+at, "%d of %d; not always: %s", noticed, len(changes), strings.Join(missed, ", "))
	}
}
