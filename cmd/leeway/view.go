package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// versionView is a version as it is printed: all but the profile's bytes.
type versionView struct {
	Model     string             `json:"model"`
	Version   string             `json:"version"`
	Created   time.Time          `json:"created"`
	Lifecycle v1alpha1.Lifecycle `json:"lifecycle"`
	Reason    string             `json:"reason,omitempty"`
	Artifact  v1alpha1.Artifact  `json:"artifact"`
	Dataset   v1alpha1.Dataset   `json:"dataset"`
	Profile   *profileView       `json:"profile,omitempty"`
	Metrics   map[string]string  `json:"metrics,omitempty"`
	// Reported and Params are as ModelVersionSpec has them.
	Reported    map[string]v1alpha1.Value `json:"reported,omitempty"`
	Params      map[string]v1alpha1.Value `json:"params,omitempty"`
	Evaluations []evaluationView          `json:"evaluations,omitempty"`
	Lineage     v1alpha1.Lineage          `json:"lineage"`
	Compat      string                    `json:"compat,omitempty"`
	Audit       []v1alpha1.AuditLine      `json:"audit,omitempty"`
}

type profileView struct {
	Digest      string   `json:"digest"`
	Rows        int64    `json:"rows,omitempty"`
	Features    []string `json:"features,omitempty"`
	Predictions []string `json:"predictions,omitempty"`
	// Error says why the profile can't be used.
	Error string `json:"error,omitempty"`
}

type evaluationView struct {
	Version string `json:"version"`
	Dataset string `json:"dataset"`
	Metric  string `json:"metric"`
	Value   string `json:"value"`
}

func view(v registry.Version) versionView {
	w := versionView{
		Model: v.Model, Version: strconv.FormatInt(v.Number, 10), Created: v.Created, Lifecycle: v.Lifecycle, Reason: v.Reason,
		Artifact: v.Spec.Artifact, Dataset: v.Spec.Dataset, Metrics: v.Spec.Metrics, Lineage: v.Spec.Lineage, Compat: v.Spec.Compat, Audit: v.Audit,
		Reported: v.Spec.Reported, Params: v.Spec.Params,
	}
	for _, e := range v.Spec.Evaluations {
		w.Evaluations = append(w.Evaluations, evaluationView{strconv.FormatInt(e.Version, 10), e.Dataset, e.Metric, e.Value})
	}
	if v.Spec.Profile == nil {
		return w
	}
	w.Profile = &profileView{Digest: v.Spec.Profile.Digest}
	p, _, err := v.Profile()
	if err != nil {
		w.Profile.Error = err.Error()
		return w
	}
	w.Profile.Rows = p.Rows
	for _, c := range p.Features {
		w.Profile.Features = append(w.Profile.Features, c.Name+" ("+string(c.Type)+")")
	}
	for _, c := range p.Predictions {
		w.Profile.Predictions = append(w.Profile.Predictions, c.Name+" ("+string(c.Type)+")")
	}
	return w
}

// table prints one version, a field a line.
func (v versionView) table(w io.Writer) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	line("Model", v.Model)
	line("Version", v.Version)
	line("Created", moment(v.Created))
	line("Lifecycle", string(v.Lifecycle))
	line("Reason", v.Reason)
	line("Artifact", v.Artifact.URI)
	line("SHA-256", v.Artifact.SHA256)
	line("Dataset", datasetText(v.Dataset))
	line("Dataset URI", v.Dataset.URI)
	line("Dataset MD5", v.Dataset.MD5)
	line("Commit", v.Dataset.Commit)
	if p := v.Profile; p == nil {
		line("Profile", "none: never matched, its data never compared")
	} else {
		line("Profile", p.Digest)
		line("Unusable", p.Error)
		line("Rows", count(p.Rows))
		line("Features", strings.Join(p.Features, ", "))
		line("Predictions", strings.Join(p.Predictions, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(v.Metrics)) {
		line("Metric", name+" = "+v.Metrics[name])
	}
	for _, name := range slices.Sorted(maps.Keys(v.Params)) {
		line("Parameter", name+" = "+string(v.Params[name]))
	}
	for _, e := range v.Evaluations {
		line("Evaluation", fmt.Sprintf("version %s on %s: %s = %s", e.Version, e.Dataset, e.Metric, e.Value))
	}
	if v.Lineage.Parent != 0 {
		line("Parent", strconv.FormatInt(v.Lineage.Parent, 10))
	}
	line("Run", v.Lineage.Run)
	line("Decision", v.Lineage.Decision)
	line("Compat", v.Compat)
	for _, a := range v.Audit {
		line("Changed", fmt.Sprintf("%s: %s to %s by %s: %s", moment(a.Time.Time), a.From, a.To, a.By, a.Reason))
	}
}

func datasetText(d v1alpha1.Dataset) string {
	var parts []string
	if d.Name != "" {
		parts = append(parts, d.Name)
	}
	if d.Rows > 0 {
		parts = append(parts, count(d.Rows)+" rows")
	}
	if d.From != nil || d.To != nil {
		var from, to string
		if d.From != nil {
			from = d.From.UTC().Format(time.DateOnly)
		}
		if d.To != nil {
			to = d.To.UTC().Format(time.DateOnly)
		}
		parts = append(parts, strings.TrimSpace(from+" to "+to))
	}
	return strings.Join(parts, ", ")
}

func metrics(m map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, name+"="+m[name])
	}
	return strings.Join(parts, " ")
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// count is a whole number with its thousands apart.
func count(n int64) string {
	if n == 0 {
		return ""
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
