package rules_test

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/promapi"
)

func TestForCluster(t *testing.T) {
	files, err := rules.Load(rules.Files)
	if err != nil {
		t.Fatal(err)
	}
	matchers, err := promapi.ParseMatchers(`cluster="eu-1"`)
	if err != nil {
		t.Fatal(err)
	}
	narrowed, err := rules.ForCluster(files, matchers)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range narrowed {
		text := string(data)
		if n, labels := strings.Count(text, "expr:"), strings.Count(text, `cluster: "eu-1"`); n != labels {
			t.Errorf("%s: %d rules, %d with the label", name, n, labels)
		}
		if !strings.Contains(text, "# ") {
			t.Errorf("%s: the comments are gone", name)
		}
		if strings.Contains(text, "{namespace=%q") {
			t.Errorf("%s: a query in an annotation asks all clusters", name)
		}
	}
	if want := `increase(leeway_request_duration_seconds_count{cluster="eu-1",code="5xx"}[2m])`; !strings.Contains(string(narrowed["errors.yaml"]), want) {
		t.Errorf("errors.yaml has no %s:\n%s", want, narrowed["errors.yaml"])
	}
	several, err := promapi.ParseMatchers(`cluster=~"eu-.+"`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.ForCluster(files, several); err == nil {
		t.Error("rules for several clusters at once")
	}
}

func TestOperator(t *testing.T) {
	files, err := rules.Load(rules.Files)
	if err != nil {
		t.Fatal(err)
	}
	objects := rules.Operator(files)
	if len(objects) != len(files) {
		t.Fatalf("%d objects of %d files", len(objects), len(files))
	}
	component, err := os.ReadFile("../manifests/components/prometheus-operator/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range objects {
		if !strings.Contains(string(component), "- "+name+"\n") {
			t.Errorf("the component prometheus-operator does not list %s", name)
		}
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Spec     yaml.Node
		}
		if err := yaml.Unmarshal(data, &object); err != nil {
			t.Fatal(err)
		}
		spec, err := yaml.Marshal(&object.Spec)
		if err != nil {
			t.Fatal(err)
		}
		if err := rules.Check(map[string][]byte{name: spec}); err != nil || object.Kind != "PrometheusRule" {
			t.Errorf("%s: %s %v", name, object.Kind, err)
		}
		if len(data) > 200<<10 {
			t.Errorf("%s has %d bytes: kubectl apply keeps no more than 256 KiB", name, len(data))
		}
	}
}
