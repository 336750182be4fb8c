// Package evaluation is the report of a Job that evaluates: what each version showed
// on the same labelled rows. "leeway evaluate --report" writes it in the pod, as the
// termination message of its container, and the controller reads it from the pod's
// status: that needs no right, no volume and no server.
//
// Whoever may create Jobs in the namespace writes it, so it is read with strict
// bounds: it can't name what was not asked for, and says nothing but numbers.
package evaluation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/leeway-dev/leeway/agent/decide"
)

const (
	// MaxBytes is what Kubernetes keeps of a termination message.
	MaxBytes = 4096
	// MinRows are the fewest that a report may rest on.
	MinRows = decide.MinEvaluated
	// MaxVersions beside the one in service.
	MaxVersions = decide.MaxAsked
	// Path is where a container leaves its termination message.
	Path = "/dev/termination-log"

	maxRows  = 1e12
	largest  = 1e100
	rounding = 1e-4 // of the means, for a gain to be their difference
)

// ErrReport says that a report can't be used; the message says why.
var ErrReport = errors.New("not a report that can be used")

// Report is what an evaluation measured.
type Report struct {
	// Decision that asked for it.
	Decision string `json:"decision"`
	// Rows that all versions were measured on, and by what.
	Rows int64  `json:"rows"`
	Loss string `json:"loss"`
	Live Live   `json:"live"`
	// Versions beside it.
	Versions []Version `json:"versions"`
}

// Live is the version in service.
type Live struct {
	Version string  `json:"version"`
	Mean    float64 `json:"mean"`
}

// Version is one that was measured beside it.
type Version struct {
	Version string  `json:"version"`
	Mean    float64 `json:"mean"`
	// Gain is by how much its loss is less: the mean over the rows, with its standard
	// error.
	Gain          float64 `json:"gain"`
	StandardError float64 `json:"standardError"`
}

// Asked is what a report has to be about.
type Asked struct {
	Decision, Live string
	Versions       []string
}

// Encode writes a report as the pod leaves it.
func (r Report) Encode() ([]byte, error) {
	r.Live.Mean = rounded(r.Live.Mean)
	r.Versions = slices.Clone(r.Versions)
	for i := range r.Versions {
		v := &r.Versions[i]
		v.Mean, v.Gain, v.StandardError = rounded(v.Mean), rounded(v.Gain), rounded(v.StandardError)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	if len(b) >= MaxBytes { // a line ends with one more
		return nil, fmt.Errorf("the report has %d bytes, and a termination message holds %d: measure fewer versions", len(b), MaxBytes)
	}
	return b, nil
}

// rounded keeps seven digits: more than a standard error is worth.
func rounded(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	scale := math.Pow(10, 6-math.Floor(math.Log10(math.Abs(x))))
	if r := math.Round(x*scale) / scale; !math.IsInf(scale, 0) && scale > 0 && !math.IsNaN(r) {
		return r
	}
	return x
}

// Find returns the report among the last words of a pod's containers.
func Find(words []string, asked Asked) (Report, error) {
	err := fmt.Errorf("%w: no container left one: end the Job with \"leeway evaluate --report\"", ErrReport)
	first := true
	for _, text := range words {
		r, wrong := Parse(text, asked)
		if wrong == nil {
			return r, nil
		}
		if first && strings.HasPrefix(strings.TrimSpace(text), "{") {
			err, first = wrong, false
		}
	}
	return Report{}, err
}

var lossName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// Parse reads a report and says what is wrong with it. What it returns names only
// versions that were asked for, each once, with finite numbers.
func Parse(text string, asked Asked) (Report, error) {
	r, err := decode(text)
	if err == nil {
		err = r.check(asked)
	}
	if err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrReport, err)
	}
	return r, nil
}

// written tells a number that is not there from 0.
type written struct {
	Decision string `json:"decision"`
	Rows     int64  `json:"rows"`
	Loss     string `json:"loss"`
	Live     struct {
		Version string   `json:"version"`
		Mean    *float64 `json:"mean"`
	} `json:"live"`
	Versions []struct {
		Version       string   `json:"version"`
		Mean          *float64 `json:"mean"`
		Gain          *float64 `json:"gain"`
		StandardError *float64 `json:"standardError"`
	} `json:"versions"`
}

func decode(text string) (r Report, err error) {
	if len(text) > MaxBytes {
		return r, fmt.Errorf("it has %d bytes, at most %d are read", len(text), MaxBytes)
	}
	var w written
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return r, fmt.Errorf("it can't be read: %.200s", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("something follows it")
	}
	if w.Live.Mean == nil {
		return r, errors.New("it has no mean of the version in service")
	}
	r = Report{Decision: w.Decision, Rows: w.Rows, Loss: w.Loss, Live: Live{w.Live.Version, *w.Live.Mean}}
	for _, v := range w.Versions {
		if v.Mean == nil || v.Gain == nil || v.StandardError == nil {
			return r, fmt.Errorf("version %.20q lacks its mean, gain or standardError", v.Version)
		}
		r.Versions = append(r.Versions, Version{v.Version, *v.Mean, *v.Gain, *v.StandardError})
	}
	return r, nil
}

func (r Report) check(asked Asked) error {
	switch {
	case r.Decision != asked.Decision:
		return fmt.Errorf("it is of decision %.80q, and this one is %s", r.Decision, asked.Decision)
	case r.Live.Version != asked.Live:
		return fmt.Errorf("it compares with version %.20q, and version %s is in service", r.Live.Version, asked.Live)
	case r.Rows < MinRows || r.Rows > maxRows:
		return fmt.Errorf("it rests on %d rows, and at least %d are needed", r.Rows, MinRows)
	case !lossName.MatchString(r.Loss):
		return fmt.Errorf("its loss has the name %.40q", r.Loss)
	case len(r.Versions) == 0:
		return errors.New("it measured no other version")
	case len(r.Versions) > MaxVersions:
		return fmt.Errorf("it measured %d versions, at most %d are asked for", len(r.Versions), MaxVersions)
	case !usable(r.Live.Mean):
		return fmt.Errorf("the mean loss of the version in service is %v", r.Live.Mean)
	}
	seen := map[string]bool{}
	for _, v := range r.Versions {
		switch {
		case !slices.Contains(asked.Versions, v.Version):
			return fmt.Errorf("it names version %.20q, which was not asked for", v.Version)
		case seen[v.Version]:
			return fmt.Errorf("it names version %s twice", v.Version)
		case !usable(v.Mean) || !usable(v.Gain) || !usable(v.StandardError) || v.StandardError < 0:
			return fmt.Errorf("version %s has a mean loss of %v, a gain of %v and a standard error of %v", v.Version, v.Mean, v.Gain, v.StandardError)
		case math.Abs(r.Live.Mean-v.Mean-v.Gain) > rounding*max(math.Abs(r.Live.Mean), math.Abs(v.Mean)):
			return fmt.Errorf("the gain of version %s is %.6g, and the means differ by %.6g", v.Version, v.Gain, r.Live.Mean-v.Mean)
		}
		seen[v.Version] = true
	}
	return nil
}

func usable(x float64) bool { return !math.IsNaN(x) && math.Abs(x) <= largest }
