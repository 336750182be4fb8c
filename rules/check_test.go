package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/leeway-dev/leeway/rules"
)

func TestLoad(t *testing.T) {
	files, err := rules.Load(rules.Files)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 14 {
		t.Errorf("%d shipped files, want 14", len(files))
	}
	if _, err := rules.Load(fstest.MapFS{"README.md": {}}); err == nil {
		t.Error("a directory without rules is no error")
	}
	if _, err := rules.Load(fstest.MapFS{"a.yml": {Data: []byte("groups: [")}}); err == nil || !strings.Contains(err.Error(), "a.yml") {
		t.Errorf("error %v does not name the file", err)
	}
}

func TestCheckRefuses(t *testing.T) {
	alert := "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: %s\n        labels: {%s}\n"
	tests := []struct{ name, yaml, want string }{
		{"bad expression", fmt.Sprintf(alert, "sum(", ""), "my.yaml:5:15: group \"g\", rule 1, \"A\""},
		{"unknown field", "groups:\n  - name: g\n    rulez: []\n", "my.yaml: yaml: unmarshal errors:\n  line 3: field rulez not found"},
		{"not YAML", "groups: [", "my.yaml: yaml: line 1"},
		{"nothing", "", "my.yaml: no groups"},
		{"two documents", fmt.Sprintf(alert, "up", "") + "---\ngroups: []\n", "my.yaml: more than one YAML document"},
		{"unknown cause", fmt.Sprintf(alert, "up", "leeway_cause: bad_weather"), `alert A: leeway_cause "bad_weather" is none of input_drift,`},
		{"no window", fmt.Sprintf(alert, "up", "leeway_cause: errors"), `leeway_window "" is not a duration`},
		{"drift without a clock", fmt.Sprintf(alert, "up", "leeway_cause: input_drift, leeway_window: 1h"), `leeway_clock "" is none of page, act, slow`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := rules.Check(map[string][]byte{"my.yaml": []byte(tt.yaml)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	free := fmt.Sprintf(alert, "up == 0", "team: risk")
	if err := rules.Check(map[string][]byte{"people.yaml": []byte(free)}); err != nil {
		t.Errorf("an alert that is for people only: %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, name := range []string{"errors.yaml", "quality.yaml"} {
		data, err := rules.Files.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := rules.Check(map[string][]byte{"f.yaml": data})
		if err != nil && !strings.Contains(err.Error(), "f.yaml") {
			t.Errorf("the error does not name the file: %v", err)
		}
	})
}
