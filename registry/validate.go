package registry

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// The limits of a version. The custom resource has the same.
const (
	maxName        = 63
	maxText        = 1024
	maxMetrics     = 256
	maxValues      = 1024 // parameters, and reported metrics
	maxValue       = 4096
	maxEvaluations = 256
)

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ValidateModel says whether a name may be a model's: it becomes a label, a
// part of an object's name and a folder.
func ValidateModel(model string) error {
	if len(model) > maxName || !nameForm.MatchString(model) {
		return fmt.Errorf("%w: model name %q: use at most 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit", ErrInvalid, model)
	}
	return nil
}

// Validate says whether a spec can be registered. Stores call it; the errors
// wrap ErrInvalid and name the field.
func Validate(spec v1alpha1.ModelVersionSpec) error {
	if err := ValidateModel(spec.Model); err != nil {
		return inField("model", err)
	}
	if spec.Version != 0 {
		return inField("version", fmt.Errorf("%w: version %d: the registry gives the number", ErrInvalid, spec.Version))
	}
	if err := validateArtifact(spec.Artifact); err != nil {
		return inField("artifact", err)
	}
	if err := validateDataset(spec.Dataset); err != nil {
		return inField("dataset", err)
	}
	if spec.Profile != nil {
		if _, err := Unpack(*spec.Profile); err != nil {
			return inField("profile", fmt.Errorf("profile: %w", err))
		}
	}
	if err := validateMetrics(spec.Metrics); err != nil {
		return inField("metrics", err)
	}
	if err := validateEvaluations(spec.Evaluations); err != nil {
		return inField("evaluations", err)
	}
	if err := validateValues("params", spec.Params); err != nil {
		return err
	}
	if err := validateValues("reported", spec.Reported); err != nil {
		return err
	}
	for field, text := range map[string]string{
		"lineage.run": spec.Lineage.Run, "lineage.decision": spec.Lineage.Decision, "compat": spec.Compat,
	} {
		if len(text) > maxText {
			return inField(field, fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", ErrInvalid, field, len(text), maxText))
		}
	}
	if spec.Lineage.Parent < 0 {
		return inField("lineage.parent", fmt.Errorf("%w: lineage.parent %d is not a version", ErrInvalid, spec.Lineage.Parent))
	}
	return nil
}

func validateArtifact(a v1alpha1.Artifact) error {
	switch {
	case a.URI == "":
		return fmt.Errorf("%w: artifact: the URI is empty", ErrInvalid)
	case len(a.URI) > maxText:
		return fmt.Errorf("%w: artifact: the URI has %d bytes, at most %d are allowed", ErrInvalid, len(a.URI), maxText)
	case strings.ContainsFunc(a.URI, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%w: artifact: the URI %q holds a control character", ErrInvalid, a.URI)
	case a.SHA256 != "" && !sha256Form.MatchString(a.SHA256):
		return fmt.Errorf("%w: artifact: sha256 %q is not 64 hexadecimal digits", ErrInvalid, a.SHA256)
	}
	// A version is read by many: a password in a URI would be, too.
	if u, err := url.Parse(a.URI); err == nil && u.User != nil {
		if _, secret := u.User.Password(); secret {
			return fmt.Errorf("%w: artifact: the URI %s holds a password; give credentials by the environment", ErrInvalid, u.Redacted())
		}
	}
	return nil
}

func validateDataset(d v1alpha1.Dataset) error {
	if d.Rows < 0 {
		return fmt.Errorf("%w: dataset: %d rows", ErrInvalid, d.Rows)
	}
	if d.From != nil && d.To != nil && d.To.Before(d.From) {
		return fmt.Errorf("%w: dataset: it ends (%s) before it begins (%s)", ErrInvalid, d.To.UTC(), d.From.UTC())
	}
	for field, text := range map[string]string{"name": d.Name, "uri": d.URI, "md5": d.MD5, "commit": d.Commit} {
		if len(text) > maxText {
			return fmt.Errorf("%w: dataset.%s has %d bytes, at most %d are allowed", ErrInvalid, field, len(text), maxText)
		}
	}
	return nil
}

func validateMetrics(metrics map[string]string) error {
	if len(metrics) > maxMetrics {
		return fmt.Errorf("%w: %d metrics, at most %d are allowed", ErrInvalid, len(metrics), maxMetrics)
	}
	for name, value := range metrics {
		if name == "" || len(name) > maxText {
			return fmt.Errorf("%w: metric name %q", ErrInvalid, name)
		}
		if !decimal(value) {
			return fmt.Errorf("%w: metric %s=%q is not a finite number", ErrInvalid, name, value)
		}
	}
	return nil
}

func validateEvaluations(evaluations []v1alpha1.Evaluation) error {
	if len(evaluations) > maxEvaluations {
		return fmt.Errorf("%w: %d evaluations, at most %d are allowed", ErrInvalid, len(evaluations), maxEvaluations)
	}
	for i, e := range evaluations {
		switch {
		case e.Version < 0: // 0 is this version, whose number is not known yet
			return fmt.Errorf("%w: evaluation %d: version %d", ErrInvalid, i+1, e.Version)
		case e.Dataset == "" || e.Metric == "" || len(e.Dataset) > maxText || len(e.Metric) > maxText:
			return fmt.Errorf("%w: evaluation %d: it needs a dataset and a metric", ErrInvalid, i+1)
		case !decimal(e.Value):
			return fmt.Errorf("%w: evaluation %d: %s=%q is not a finite number", ErrInvalid, i+1, e.Metric, e.Value)
		}
	}
	return nil
}

func validateValues(field string, values map[string]v1alpha1.Value) error {
	if len(values) > maxValues {
		return fmt.Errorf("%w: %s has %d values, at most %d are allowed", ErrInvalid, field, len(values), maxValues)
	}
	for name, value := range values {
		if name == "" || len(name) > maxText {
			return fmt.Errorf("%w: %s: name %.100q has %d bytes, 1 to %d are allowed", ErrInvalid, field, name, len(name), maxText)
		}
		if len(value) > maxValue {
			return fmt.Errorf("%w: %s: %s has %d bytes, at most %d are allowed", ErrInvalid, field, name, len(value), maxValue)
		}
	}
	return nil
}

func decimal(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}
