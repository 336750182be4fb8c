package mlflow

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// metricName is what MLflow takes as one.
var metricName = regexp.MustCompile(`^[\w./:\- ]{1,250}$`)

// metrics are those that MLflow can show; the document holds them all.
func metrics(spec v1alpha1.ModelVersionSpec, now int64) []metric {
	list := []metric{}
	for k, v := range spec.Metrics {
		f, err := strconv.ParseFloat(v, 64)
		if err == nil && !math.IsInf(f, 0) && metricName.MatchString(k) && path.Clean(k) == k && !strings.HasPrefix(k, "/") && !strings.HasPrefix(k, "..") {
			list = append(list, metric{Key: k, Value: f, Timestamp: now})
		}
	}
	return list
}

// describe is what people read in MLflow.
func describe(spec v1alpha1.ModelVersionSpec) string {
	var b strings.Builder
	b.WriteString("Registered by Leeway.")
	if d := spec.Dataset; d.Name != "" || d.Rows > 0 {
		fmt.Fprintf(&b, " Data: %s, %d rows", d.Name, d.Rows)
		if d.From != nil && d.To != nil {
			fmt.Fprintf(&b, ", %s to %s", d.From.UTC().Format("2006-01-02"), d.To.UTC().Format("2006-01-02"))
		}
		b.WriteByte('.')
	}
	if spec.Artifact.SHA256 != "" {
		b.WriteString(" Artifact: " + spec.Artifact.URI + ", SHA-256 " + spec.Artifact.SHA256 + ".")
	}
	if spec.Compat != "" {
		b.WriteString(" Compatible with: " + spec.Compat + ".")
	}
	return cut(b.String(), maxTag)
}

// elsewhere is the source of a version whose artifact's URI the server does not
// take in any form.
const elsewhere = "leeway://see/tags/" + tagSpec

// source is an artifact's URI with a scheme: without one MLflow takes it for a
// path of its own.
func source(uri string) string {
	switch {
	case strings.HasPrefix(uri, "/"):
		return "file://" + uri
	case !strings.Contains(uri, "://"):
		return "oci://" + uri
	}
	return uri
}
