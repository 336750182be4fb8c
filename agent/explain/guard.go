package explain

import (
	"fmt"
	"strings"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Guard tells where a guard stands, from its status alone.
func Guard(g v1alpha1.ModelGuard) string {
	var b strings.Builder
	s := g.Status
	fmt.Fprintf(&b, "Guard %s of model %s", g.Name, g.Spec.Model)
	if s.ActiveVersion != "" {
		fmt.Fprintf(&b, ", which serves version %s", s.ActiveVersion)
		if s.SettledAt != nil {
			fmt.Fprintf(&b, ", settled since %s", moment(*s.SettledAt))
		}
	}
	b.WriteString(".\n")
	if s.Phase == "" {
		b.WriteString("No controller has looked at it yet.\n")
		return b.String()
	}
	fmt.Fprintf(&b, "Phase %s", s.Phase)
	if s.Reason != "" {
		fmt.Fprintf(&b, " (%s)", s.Reason)
	}
	if s.Message != "" {
		b.WriteString(": " + strings.TrimSuffix(s.Message, "."))
	}
	b.WriteString(".\n")
	if todo := ToDo(s.Reason); todo != "" {
		fmt.Fprintf(&b, "What to do: %s\n", todo)
	}
	if r := s.Retrain; r != nil && r.Phase != "" {
		fmt.Fprintf(&b, "Retraining: %s", r.Phase)
		if r.Reason != "" {
			fmt.Fprintf(&b, " (%s)", r.Reason)
		}
		if r.Job != "" {
			b.WriteString(", " + trainer(r.Job))
		}
		if r.Version != "" {
			fmt.Fprintf(&b, ", registered version %s", r.Version)
		}
		if r.Message != "" {
			b.WriteString(": " + strings.TrimSuffix(r.Message, "."))
		}
		b.WriteString(".\n")
	}
	for _, c := range s.Conditions {
		if c.Message != "" {
			fmt.Fprintf(&b, "%s is %s (%s): %s.\n", c.Type, strings.ToLower(string(c.Status)), c.Reason, strings.TrimSuffix(c.Message, "."))
		}
	}
	return b.String()
}
