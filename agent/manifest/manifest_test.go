package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/agent/manifest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
)

var (
	churn = manifest.Object{Kind: "Deployment", Namespace: "ml", Name: "churn"}
	env   = v1alpha1.ArtifactRef{Container: "model", Env: "MODEL_URI"}
	image = v1alpha1.ArtifactRef{Container: "model", Image: true}
	three = workload.Fields{Version: "3", Artifact: "s3://models/churn/3", ProfileDigest: "sha256:3333", ArtifactDigest: "3a3a"}
)

// Only the lines of the model's fields change, whatever stands around them.
func TestSet(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		ref        v1alpha1.ArtifactRef
		want       string // the lines of the diff that differ
	}{
		{"comments, order and other documents stay", `# Served to the shop. Größe: 3
kind: Service
metadata: {name: churn}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: churn   # "ml" is added by Kustomize
spec:
  replicas: 3
  template:
    metadata:
      annotations:
        leeway.dev/profile-digest: sha256:4444 # of the training data
      labels: {app: churn, 'leeway.dev/version': "4"}
    spec:
      containers:
      - name: sidecar
        env:
        - {name: MODEL_URI, value: untouched}
      - name: model
        image: server:1
        env:
        - name: "Größe"
          value: ü
        - {name: MODEL_URI, value: 's3://models/churn/4'}
`, env, `
-        leeway.dev/profile-digest: sha256:4444 # of the training data
-      labels: {app: churn, 'leeway.dev/version': "4"}
+        leeway.dev/profile-digest: sha256:3333 # of the training data
+      labels: {app: churn, 'leeway.dev/version': "3"}
-        - {name: MODEL_URI, value: 's3://models/churn/4'}
+        - {name: MODEL_URI, value: 's3://models/churn/3'}
`},
		{"of two the one of the namespace", `kind: Deployment
metadata: {name: churn}
spec: {template: {metadata: {labels: {leeway.dev/version: "4"}, annotations: {a: b}}, spec: {containers: [{name: model, image: a}]}}}
---
kind: Deployment
metadata: {name: churn, namespace: ml}
spec: {template: {metadata: {labels: {leeway.dev/version: "4"}, annotations: {leeway.dev/profile-digest: sha256:3333}}, spec: {containers: [{name: model, image: b}]}}}
`, image, `
-spec: {template: {metadata: {labels: {leeway.dev/version: "4"}, annotations: {leeway.dev/profile-digest: sha256:3333}}, spec: {containers: [{name: model, image: b}]}}}
+spec: {template: {metadata: {labels: {leeway.dev/version: "3"}, annotations: {leeway.dev/profile-digest: sha256:3333}}, spec: {containers: [{name: model, image: s3://models/churn/3}]}}}
`},
		{"what is missing is put in, but no stamp of the artifact", `kind: Deployment
metadata: {name: churn, namespace: ml}
spec:
  template:
    metadata:
      labels:
        app: churn
    spec:
      containers:
        - name: model
          image: server@sha256:44`, image, `
+      annotations:
+        leeway.dev/profile-digest: sha256:3333
+        leeway.dev/version: "3"
-          image: server@sha256:44
\ No newline at end of file
+          image: s3://models/churn/3
\ No newline at end of file
`},
		{"JSON", `{"kind": "Deployment", "metadata": {"name": "churn"}, "spec": {"template": {
"metadata": {"annotations": {"leeway.dev/artifact-digest": "4a4a"}, "labels": {"leeway.dev/version": "4"}},
"spec": {"containers": [{"name": "model", "env": [{"name": "MODEL_URI", "value": "s3://models/churn/4"}]}]}}}}
`, env, `
-"metadata": {"annotations": {"leeway.dev/artifact-digest": "4a4a"}, "labels": {"leeway.dev/version": "4"}},
-"spec": {"containers": [{"name": "model", "env": [{"name": "MODEL_URI", "value": "s3://models/churn/4"}]}]}}}}
+"metadata": {"annotations": {"leeway.dev/profile-digest": "sha256:3333", "leeway.dev/artifact-digest": "3a3a"}, "labels": {"leeway.dev/version": "3"}},
+"spec": {"containers": [{"name": "model", "env": [{"name": "MODEL_URI", "value": "s3://models/churn/3"}]}]}}}}
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := manifest.Set([]byte(tt.text), churn, tt.ref, three)
			if err != nil {
				t.Fatal(err)
			}
			changed := "\n"
			for line := range strings.Lines(udiff.Unified("", "", tt.text, string(got))) {
				if strings.ContainsAny(line[:1], `+-\`) && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "---") {
					changed += line
				}
			}
			if diff := cmp.Diff(tt.want, changed); diff != "" {
				t.Errorf("lines that changed (-want +got):\n%s", diff)
			}
			again, err := manifest.Set(got, churn, tt.ref, three)
			if err != nil || string(again) != string(got) {
				t.Errorf("once more it is changed again: %v\n%s", err, again)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	const text = `kind: Deployment
metadata: {name: churn}
spec:
  template:
    metadata:
      labels: {leeway.dev/version: "4"}
    spec:
      containers:
      - name: model
        env: [{name: MODEL_URI, value: VALUE}]
`
	for _, tt := range []struct {
		name, text string
		want       string
	}{
		{"another workload", strings.Replace(text, "{name: churn}", "{name: fraud}", 1), manifest.ErrOther.Error()},
		{"another namespace", strings.Replace(text, "{name: churn}", "{name: churn, namespace: shop}", 1), manifest.ErrOther.Error()},
		{"two of them", text + "---\n" + text, "lines 1 and 12 both begin a Deployment churn without a namespace"},
		{"no YAML", "kind: [", "yaml:"},
		{"no container", strings.Replace(text, "name: model", "name: mode", 1), "has no container"},
		{"no variable", strings.Replace(text, "value: VALUE", "valueFrom: {}", 1), "has no variable"},
		{"an anchor", strings.Replace(text, "VALUE", "&uri s3://4", 1), "line 10: "},
		{"several lines", strings.Replace(text, "VALUE", "\"s3://\n          4\"", 1), "line 10: "},
		{"no labels", strings.Replace(text, `labels: {leeway.dev/version: "4"}`, "labels: {}", 1), "empty or no mapping"},
		{"no metadata", strings.Replace(text, "    metadata:\n      labels: {leeway.dev/version: \"4\"}\n", "", 1), "no spec.template.metadata"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := manifest.Set([]byte(tt.text), churn, env, three)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if strings.Contains(tt.name, "another") != errors.Is(err, manifest.ErrOther) {
				t.Errorf("%v: ErrOther is for files without the workload", err)
			}
		})
	}
}

// Whatever is edited reads as it was meant to, or is refused.
func FuzzSet(f *testing.F) {
	f.Add("kind: Deployment\nmetadata: {name: churn}\nspec:\n  template:\n    metadata:\n      labels: {a: b}\n    spec:\n      containers:\n      - name: model\n        env: [{name: MODEL_URI, value: x}]\n", "s3://m/3")
	f.Add(`{"kind":"Deployment","metadata":{"name":"churn"},"spec":{"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"model","env":[{"name":"MODEL_URI","value":"x"}]}]}}}}`, `a "quoted" name: #1`)
	f.Fuzz(func(t *testing.T, text, uri string) {
		to := three
		to.Artifact = uri
		out, err := manifest.Set([]byte(text), churn, env, to)
		if err != nil {
			return
		}
		if again, err := manifest.Set(out, churn, env, to); err != nil || string(again) != string(out) {
			t.Fatalf("what was written is changed again: %v\n%q\n%q\n%q", err, text, out, again)
		}
	})
}
