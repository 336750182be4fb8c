package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/testbed"
)

// testRules puts an error into one of the rule files, and takes it out again.
func testRules(t *testing.T, s *stage) {
	token := s.token(t, "flights-labels", "leeway")
	before := s.groups(t, token)
	path := filepath.Join(s.Dir, "rules", "errors.yaml")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(good), "sum by (", "sum bye (", 1)
	line := strings.Count(bad[:strings.Index(bad, "sum bye (")], "\n") // where the expression begins: expr: |-
	s.rules(t, path, bad)
	current := func(want string) {
		t.Helper()
		testbed.Eventually(t, 90*time.Second, func() error {
			got := s.query(t, token, "leeway_controller_rules_current")
			for _, pod := range []string{"leeway-controller-0", "leeway-controller-1"} {
				if got[pod] != want {
					return fmt.Errorf("leeway_controller_rules_current is %v, want %s of both", got, want)
				}
			}
			return nil
		})
	}
	current("0")
	refused := time.Now()
	counted := s.query(t, token, `leeway_controller_rule_reloads_total{result="refused"}`)
	for _, pod := range []string{"leeway-controller-0", "leeway-controller-1"} {
		if counted[pod] != "1" {
			t.Errorf("%s has refused %q times, want once", pod, counted[pod])
		}
		logs := kubectl(t, s.Cluster, "logs", "-n", system, pod)
		if !strings.Contains(logs, fmt.Sprintf("rules refused: errors.yaml:%d:", line)) || !strings.Contains(logs, "the old rules stay") {
			t.Errorf("%s does not say that errors.yaml:%d was refused: …%s", pod, line, logs[max(0, len(logs)-3000):])
		}
	}
	testbed.Eventually(t, 15*time.Second, func() error { return evaluated(before, s.groups(t, token), refused.Add(2*time.Second)) })

	s.rules(t, path, string(good))
	current("1")
}

// rules replaces one rule file in the ConfigMap, and lets the kubelets look at
// once: they do by themselves within about a minute.
func (s *stage) rules(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	manifest := kubectl(t, s.Cluster, "create", "configmap", "leeway-rules", "-n", system, "--from-file="+filepath.Dir(path), "--dry-run=client", "-o", "json")
	cmd := s.KubectlCommand(t.Context(), "replace", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	if _, err := child.Run(cmd); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // until the kubelets' watches have it
	kubectl(t, s.Cluster, "annotate", "pod", "-n", system, "-l", "app.kubernetes.io/name=leeway-controller", "--overwrite",
		fmt.Sprintf("test/looked-at=%d", time.Now().UnixNano()))
}

// ruleGroup is a group as the query API tells of it.
type ruleGroup struct {
	Name           string
	Interval       float64 // seconds
	LastEvaluation time.Time
	Rules          []struct{ Name, Health, Query string }
}

func (s *stage) groups(t *testing.T, token string) map[string]ruleGroup {
	t.Helper()
	code, said := s.ask(t, token, "/api/v1/rules", "")
	var answer struct{ Data struct{ Groups []ruleGroup } }
	if err := json.Unmarshal([]byte(said), &answer); err != nil || code != 200 {
		t.Fatalf("rules: %d %.500s, %v", code, said, err)
	}
	all := map[string]ruleGroup{}
	for _, g := range answer.Data.Groups {
		all[g.Name] = g
	}
	return all
}

// evaluated says whether the same rules as before were evaluated after a time,
// all of them in good health; but for those that are evaluated by the minute.
func evaluated(before, now map[string]ruleGroup, after time.Time) error {
	if len(now) != len(before) || len(now["leeway-errors"].Rules) == 0 {
		return fmt.Errorf("%d groups, %d before; %d rules on errors", len(now), len(before), len(now["leeway-errors"].Rules))
	}
	for name, g := range now {
		often := g.Interval <= 5
		if often && !g.LastEvaluation.After(after) {
			return fmt.Errorf("group %s was evaluated last at %s, and the files were refused before %s", name, g.LastEvaluation, after)
		}
		for i, r := range g.Rules {
			if was := before[name].Rules[i]; often && r.Health != "ok" || r.Name != was.Name || r.Query != was.Query {
				return fmt.Errorf("group %s, rule %s: health %s, query %q, was %q", name, r.Name, r.Health, r.Query, was.Query)
			}
		}
	}
	return nil
}
