package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry/artifact/glob"
)

// ErrContainer and ErrEnv say that the template has no place for an artifact.
var (
	ErrContainer = errors.New("container not found in the pod template")
	ErrEnv       = errors.New("environment variable not found in the container")
)

// Fields are the model's fields of a pod template, and the only ones that
// Leeway writes.
type Fields struct {
	// Version is the label leeway.dev/version, a whole number.
	Version string
	// Artifact is the value of the environment variable, or the image.
	Artifact string
	// ProfileDigest is the stamp that the sidecar checks its reference against.
	ProfileDigest string
	// ArtifactDigest is written only where the template carries one.
	ArtifactDigest string
}

// Fields reads the model's fields where the guard says that they are.
func (w *Workload) Fields(ref v1alpha1.ArtifactRef) (Fields, error) {
	f := Fields{
		Version:        w.Template.Labels[v1alpha1.LabelVersion],
		ProfileDigest:  w.Template.Annotations[v1alpha1.AnnotationProfileDigest],
		ArtifactDigest: w.Template.Annotations[v1alpha1.AnnotationArtifactDigest],
	}
	c := container(w.Template, ref.Container)
	if c == nil {
		return f, fmt.Errorf("%w: %s has no container %q (it has %s); correct spec.artifact.container of the guard",
			ErrContainer, w.Ref(), ref.Container, containerNames(w.Template))
	}
	if ref.Image {
		f.Artifact = c.Image
		return f, nil
	}
	for _, e := range c.Env {
		if e.Name == ref.Env && e.ValueFrom == nil {
			f.Artifact = e.Value
			return f, nil
		}
	}
	return f, fmt.Errorf("%w: container %q of %s has no variable %q with a plain value; correct spec.artifact.env of the guard",
		ErrEnv, ref.Container, w.Ref(), ref.Env)
}

// Hash tells the model's fields of one template from another's. Scaling,
// restarts and changes of other fields leave it alone.
func (f Fields) Hash() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{f.Version, f.Artifact, f.ProfileDigest}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// Same says that two templates serve the same version of the same artifact.
func (f Fields) Same(g Fields) bool { return f.Version == g.Version && f.Artifact == g.Artifact }

// HasContainer says whether the template runs a container or init container of
// the name: a sidecar is one of the latter.
func (w *Workload) HasContainer(name string) bool {
	for _, c := range w.Template.Spec.InitContainers {
		if c.Name == name {
			return true
		}
	}
	return container(w.Template, name) != nil
}

func container(t *corev1.PodTemplateSpec, name string) *corev1.Container {
	for i := range t.Spec.Containers {
		if t.Spec.Containers[i].Name == name {
			return &t.Spec.Containers[i]
		}
	}
	return nil
}

func containerNames(t *corev1.PodTemplateSpec) string {
	var names []string
	for _, c := range t.Spec.Containers {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// pinnedImage is what follows the name of an image that is pinned by its digest.
var pinnedImage = regexp.MustCompile(`^[^@]+@sha256:[0-9a-f]{64}$`)

// Allowed says whether an artifact matches one of the guard's patterns, where
// "*" stands for any run of characters. An image must be pinned by its digest.
// What has steps upward in its path, also encoded ones, or no plain characters,
// matches nothing: whoever loads it may come to another place than it begins with.
func Allowed(ref v1alpha1.ArtifactRef, uri string) bool {
	if ref.Image && !pinnedImage.MatchString(uri) || !plain(uri) {
		return false
	}
	for _, p := range ref.Allow {
		if glob.Match(p, uri) {
			return true
		}
	}
	return false
}

func plain(uri string) bool {
	if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return false
	}
	for range 3 { // encoded, and encoded again
		if slices.Contains(strings.FieldsFunc(uri, func(r rune) bool { return r == '/' || r == '\\' || r == '?' || r == '#' }), "..") {
			return false
		}
		uri = encodings.Replace(uri)
	}
	return true
}

// encodings are those that a step upward may be written in.
var encodings = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "\\", "%5C", "\\", "%25", "%")
