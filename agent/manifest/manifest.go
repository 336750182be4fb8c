package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
)

// ErrOther is returned for a file that has no such workload.
var ErrOther = errors.New("the workload is not in it")

// Object names the workload whose manifest is looked for.
type Object struct {
	Kind, Namespace, Name string
}

// Set writes the fields of a version into the manifest of an object, YAML or JSON,
// one of several documents or not, and returns the new text. A namespace that the
// manifest does not name may be any: kubectl and Kustomize add it later. The error
// of a file without the object is ErrOther; a field that is written in a way that
// can't be edited safely is an error that says where it stands.
func Set(text []byte, o Object, ref v1alpha1.ArtifactRef, to workload.Fields) ([]byte, error) {
	doc, err := o.find(text)
	if err != nil {
		return nil, err
	}
	e := editor{text: text}
	if err := e.set(doc, o, ref, to); err != nil {
		return nil, err
	}
	out := e.apply()
	return out, verify(out, o, ref, to)
}

// find is the object's document.
func (o Object) find(text []byte) (*yaml.Node, error) {
	docs, err := documents(text)
	if err != nil {
		return nil, err
	}
	docs = slices.DeleteFunc(docs, func(doc *yaml.Node) bool { return !o.is(doc) })
	if own := slices.IndexFunc(docs, func(doc *yaml.Node) bool { return value(doc, "metadata", "namespace") == o.Namespace }); own >= 0 {
		return docs[own], nil // it says so, which the others don't
	}
	switch len(docs) {
	case 0:
		return nil, ErrOther
	case 1:
		return docs[0], nil
	}
	return nil, fmt.Errorf("lines %d and %d both begin a %s %s without a namespace: which one is meant is not known", docs[0].Line, docs[1].Line, o.Kind, o.Name)
}

func documents(text []byte) ([]*yaml.Node, error) {
	var docs []*yaml.Node
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc yaml.Node
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, err
		}
		if len(doc.Content) == 1 {
			docs = append(docs, doc.Content[0])
		}
	}
}

func (o Object) is(doc *yaml.Node) bool {
	namespace := value(doc, "metadata", "namespace")
	return value(doc, "kind") == o.Kind && value(doc, "metadata", "name") == o.Name &&
		(namespace == "" || namespace == o.Namespace)
}

// set collects the edits of one manifest.
func (e *editor) set(doc *yaml.Node, o Object, ref v1alpha1.ArtifactRef, to workload.Fields) error {
	template := at(doc, "spec", "template")
	artifact, err := artifactNode(template, o, ref)
	if err != nil {
		return err
	}
	if err := e.replace(artifact, to.Artifact); err != nil {
		return err
	}
	metadata := at(template, "metadata")
	if metadata == nil {
		return fmt.Errorf("%s %s has no spec.template.metadata, which is to say the version (%s)", o.Kind, o.Name, v1alpha1.LabelVersion)
	}
	if err := e.put(metadata, "labels", [][2]string{{v1alpha1.LabelVersion, to.Version}}); err != nil {
		return err
	}
	stamps := [][2]string{{v1alpha1.AnnotationProfileDigest, to.ProfileDigest}}
	if value(metadata, "annotations", v1alpha1.AnnotationArtifactDigest) != "" {
		stamps = append(stamps, [2]string{v1alpha1.AnnotationArtifactDigest, to.ArtifactDigest})
	}
	return e.put(metadata, "annotations", stamps)
}

func artifactNode(template *yaml.Node, o Object, ref v1alpha1.ArtifactRef) (*yaml.Node, error) {
	container := named(at(template, "spec", "containers"), ref.Container)
	if container == nil {
		return nil, fmt.Errorf("%w: the manifest of %s %s has no container %q", workload.ErrContainer, o.Kind, o.Name, ref.Container)
	}
	if ref.Image {
		if image := at(container, "image"); image != nil {
			return image, nil
		}
		return nil, fmt.Errorf("container %q of %s %s has no image in this manifest", ref.Container, o.Kind, o.Name)
	}
	if v := at(named(at(container, "env"), ref.Env), "value"); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("%w: container %q in the manifest of %s %s has no variable %q with a plain value",
		workload.ErrEnv, ref.Container, o.Kind, o.Name, ref.Env)
}

// verify reads what was written: an edit that went wrong must not be committed.
func verify(text []byte, o Object, ref v1alpha1.ArtifactRef, to workload.Fields) error {
	doc, err := o.find(text)
	if err != nil {
		return fmt.Errorf("the manifest can't be edited: what came out does not read as it did: %w", err)
	}
	template := at(doc, "spec", "template")
	artifact, err := artifactNode(template, o, ref)
	if err != nil {
		return err
	}
	for _, f := range []struct{ name, got, want string }{
		{path.Join(ref.Container, ref.Env), artifact.Value, to.Artifact},
		{v1alpha1.LabelVersion, value(template, "metadata", "labels", v1alpha1.LabelVersion), to.Version},
		{v1alpha1.AnnotationProfileDigest, value(template, "metadata", "annotations", v1alpha1.AnnotationProfileDigest), to.ProfileDigest},
	} {
		if f.got != f.want {
			return fmt.Errorf("the manifest can't be edited: %s reads %q then, not %q: change it by hand", f.name, f.got, f.want)
		}
	}
	return nil
}

// at walks down mappings by their keys; nil where there is none.
func at(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if _, n = entry(n, key); n == nil {
			return nil
		}
	}
	return n
}

func value(n *yaml.Node, keys ...string) string {
	if n = at(n, keys...); n == nil {
		return ""
	}
	return n.Value
}

// entry is a key of a mapping, and its value.
func entry(n *yaml.Node, key string) (k, v *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// named is the item of a list whose name is so.
func named(list *yaml.Node, name string) *yaml.Node {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range list.Content {
		if value(item, "name") == name {
			return item
		}
	}
	return nil
}
