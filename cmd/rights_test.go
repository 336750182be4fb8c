package cmd_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// granted are the rules of the roles that the manifests bind to a service account.
func granted(t *testing.T, account string) []rbacv1.PolicyRule {
	t.Helper()
	type object struct {
		Kind     string
		Metadata struct{ Name string }
		Rules    []rbacv1.PolicyRule
		RoleRef  rbacv1.RoleRef
		Subjects []rbacv1.Subject
	}
	roles := map[string][]rbacv1.PolicyRule{}
	var bound []string
	files, err := filepath.Glob("../manifests/base/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
		for {
			var o object
			if err := d.Decode(&o); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(file, err)
			}
			switch {
			case strings.HasSuffix(o.Kind, "Binding"):
				if slices.ContainsFunc(o.Subjects, func(s rbacv1.Subject) bool { return s.Name == account || s.Kind != "ServiceAccount" }) {
					bound = append(bound, o.RoleRef.Name)
				}
			case strings.HasSuffix(o.Kind, "Role"):
				roles[o.Metadata.Name] = o.Rules
			}
		}
	}
	var rules []rbacv1.PolicyRule
	for _, name := range bound {
		rules = append(rules, roles[name]...)
	}
	return rules
}

// At the API server a node's token reads pods and does nothing else: it patches no
// workload, creates no version, and approves nothing.
func TestNodeTokenReadsPodsAlone(t *testing.T) {
	rules := granted(t, "leeway-node")
	if len(rules) == 0 {
		t.Fatal("no role is bound to leeway-node")
	}
	for _, r := range rules {
		for _, verb := range r.Verbs {
			if !slices.Contains([]string{"get", "list", "watch"}, verb) {
				t.Errorf("a node's token may %s %v", verb, r.Resources)
			}
		}
		if !slices.Equal(r.APIGroups, []string{""}) || !slices.Equal(r.Resources, []string{"pods"}) || len(r.NonResourceURLs) > 0 {
			t.Errorf("a node's token reads %v/%v%v", r.APIGroups, r.Resources, r.NonResourceURLs)
		}
	}
	if len(granted(t, "leeway-controller")) < 5 {
		t.Error("the controller's rules are not found: this test looks in the wrong place")
	}
}
