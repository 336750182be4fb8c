package incidents

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leeway-dev/leeway/agent/decide"
)

// Verdict is how what was said of one model compares with the truth.
type Verdict struct {
	Model string
	Truth Truth
	// Said is the diagnosis that stood for longest since the incident began, None
	// where there was none; After is when it was first said, in seconds since then,
	// and First what was said first.
	Said, First decide.Cause
	After       int
	Right       bool
	// Wrong are acts other than the right one, at any time.
	Wrong []Look
	// Acted says that the right act was decided on.
	Acted bool
}

// Verdicts judges what was said of each model.
func (o *Outcome) Verdicts() []Verdict {
	var out []Verdict
	for i, m := range o.models {
		out = append(out, o.verdict(m.m.name, o.truths[i]))
	}
	return out
}

func (o *Outcome) verdict(model string, t Truth) Verdict {
	v := Verdict{Model: model, Truth: t}
	looks := slices.DeleteFunc(slices.Clone(o.Looks), func(l Look) bool { return l.Model != model })
	stood := map[decide.Cause]int{}
	after := map[decide.Cause]int{}
	for i, l := range looks {
		if l.Action.Acts() {
			if l.Action == t.Act && l.Target == t.Target {
				v.Acted = true
			} else {
				v.Wrong = append(v.Wrong, l)
			}
		}
		until := o.End - o.Second
		if i+1 < len(looks) {
			until = looks[i+1].Second
		}
		if until <= 0 || !diagnosed(l) {
			continue
		}
		from := max(l.Second, 0)
		if _, said := after[l.Cause]; !said {
			after[l.Cause] = from
		}
		if v.First == decide.None {
			v.First = l.Cause
		}
		if stood[l.Cause] += until - from; stood[l.Cause] > stood[v.Said] {
			v.Said = l.Cause
		}
	}
	v.After = after[v.Said]
	v.Right = v.Said == t.Cause || slices.Contains(t.Or, v.Said)
	return v
}

// diagnosed says that a look came to a diagnosis, and not to waiting for one.
func diagnosed(l Look) bool {
	return l.Cause != decide.None && l.Cause != decide.RollingOut && l.Action != decide.Wait
}

// Tally adds up verdicts.
type Tally struct {
	verdicts []Verdict
	kinds    []Kind
}

// Add takes in what was said about a scene.
func (t *Tally) Add(o *Outcome) {
	for _, v := range o.Verdicts() {
		t.verdicts, t.kinds = append(t.verdicts, v), append(t.kinds, o.Kind)
	}
}

// Totals says of how many models the diagnosis was right, and how many had a
// wrong act.
func (t *Tally) Totals() (models, right, wrongActs int) {
	for _, v := range t.verdicts {
		if v.Right {
			right++
		}
		if len(v.Wrong) > 0 {
			wrongActs++
		}
	}
	return len(t.verdicts), right, wrongActs
}

// String is the table of what was the matter (rows) against what was said.
func (t *Tally) String() string {
	said := []decide.Cause{
		decide.None, decide.Blind, decide.Correlated, decide.BrokenInput, decide.BadRelease, decide.Saturation, decide.Serving,
		decide.InputDrift, decide.PredictionDrift, decide.ConceptDrift,
	}
	var b strings.Builder
	b.WriteString("| what was the matter | models |")
	for _, c := range said {
		fmt.Fprintf(&b, " %s |", word(c))
	}
	b.WriteString(" right | first word right | right act | wrong acts | seconds |\n|" + strings.Repeat(" --- |", len(said)+7) + "\n")
	for _, kind := range Kinds() {
		t.row(&b, kind, said)
	}
	return b.String()
}

func (t *Tally) row(b *strings.Builder, kind Kind, said []decide.Cause) {
	count := map[decide.Cause]int{}
	models, right, first, should, acted, wrong := 0, 0, 0, 0, 0, 0
	var after []int
	for i, v := range t.verdicts {
		if t.kinds[i] != kind {
			continue
		}
		models++
		count[v.Said]++
		if v.Right {
			right++
			after = append(after, v.After)
		}
		if v.First == v.Truth.Cause || slices.Contains(v.Truth.Or, v.First) {
			first++
		}
		if v.Truth.Act.Acts() {
			should++
		}
		if v.Acted {
			acted++
		}
		if len(v.Wrong) > 0 {
			wrong++
		}
	}
	if models == 0 {
		return
	}
	fmt.Fprintf(b, "| %s | %d |", kind, models)
	for _, c := range said {
		if count[c] == 0 {
			b.WriteString(" |")
			continue
		}
		fmt.Fprintf(b, " %d |", count[c])
	}
	slices.Sort(after)
	median := 0
	if len(after) > 0 {
		median = after[len(after)/2]
	}
	fmt.Fprintf(b, " %.1f %% | %.1f %% | %d of %d | %d | %d |\n", 100*float64(right)/float64(models), 100*float64(first)/float64(models), acted, should, wrong, median)
}

func word(c decide.Cause) string {
	if c == decide.None {
		return "nothing"
	}
	return strings.ReplaceAll(string(c), "_", " ")
}
