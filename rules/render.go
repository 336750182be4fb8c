package rules

import (
	"fmt"
	"maps"
	"slices"
)

// generated heads every file.
const generated = `Written by leeway rules render. Don't edit: change the values and render again.

`

// Render writes the rule files for the values: file name to YAML. A topic that
// is switched off has no file. What comes out has passed Check.
func Render(v Values) (map[string][]byte, error) {
	if err := v.Validate(); err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	out := map[string][]byte{}
	for _, f := range []file{
		drift(v, features(v)), drift(v, outputs(v)), answerDrift(v), brokenInput(v), errorRules(v), latencyRules(v), sloRules(v),
		quality(v), expectedError(v), feedbackRules(v), noData(v), freshness(v), health(v), alarmBudget(v),
	} {
		if len(f.groups) == 0 {
			continue
		}
		f.comment = generated + f.comment
		out[f.name] = f.bytes()
	}
	if err := Check(out); err != nil {
		return nil, fmt.Errorf("rendered rules: %w", err)
	}
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
