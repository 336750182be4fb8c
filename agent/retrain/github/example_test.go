package github_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/leeway-dev/leeway/agent/retrain"
)

// The workflow in examples/ takes what is sent, and is found by its name.
func TestExampleWorkflow(t *testing.T) {
	b, err := os.ReadFile("../../../examples/github/leeway-retrain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		RunName     string `json:"run-name"`
		Concurrency struct{ Group string }
		// In YAML 1.1 "on" is the boolean true, and GitHub knows better.
		On struct {
			Dispatch struct {
				Inputs map[string]struct {
					Type     string
					Required bool
				}
			} `json:"workflow_dispatch"`
		} `json:"true"`
		Jobs map[string]struct {
			Env   map[string]string
			Steps []struct{ Uses, Run string }
		}
	}
	if err := yaml.Unmarshal(b, &workflow); err != nil {
		t.Fatal(err)
	}
	if workflow.RunName != "${{ inputs.leeway_decision }}" || workflow.Concurrency.Group != workflow.RunName {
		t.Errorf("run-name %q, group %q", workflow.RunName, workflow.Concurrency.Group)
	}
	var sent []string
	for _, in := range (retrain.Order{}).Inputs() {
		name := strings.ToLower(in[0])
		sent = append(sent, name)
		if got, ok := workflow.On.Dispatch.Inputs[name]; !ok || got.Type != "string" {
			t.Errorf("input %s is not declared: %+v", name, got)
		}
		if got := workflow.Jobs["train"].Env[in[0]]; got != "${{ inputs."+name+" }}" {
			t.Errorf("%s is %q", in[0], got)
		}
	}
	for name := range workflow.On.Dispatch.Inputs {
		if !slices.Contains(sent, name) {
			t.Errorf("nobody sends %s", name)
		}
	}
	for _, s := range workflow.Jobs["train"].Steps {
		if strings.Contains(s.Run, "${{ inputs.") {
			t.Errorf("an input is put into a script, where it could be one: %s", s.Run)
		}
	}
}
