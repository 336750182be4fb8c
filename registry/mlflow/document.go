package mlflow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Tags of a model version, and of runs.
const (
	tagSpec   = "leeway.spec"   // what was registered, as JSON; longer ones go on in leeway.spec.1, …
	tagState  = "leeway.state"  // draft, then complete
	tagKey    = "leeway.key"    // see registry.Key
	tagNonce  = "leeway.nonce"  // of whoever made it
	tagChange = "leeway.change" // .000001, …: the changes of the lifecycle
	tagLedger = "leeway.ledger" // of an experiment
	paramSpec = "leeway.spec"   // of the version's run: SHA-256 of what was registered

	stateDraft    = "draft"
	stateComplete = "complete"

	aliasLive = "live"
	ready     = "READY"
)

// Limits of MLflow servers, those of 2.0 if there are several.
const (
	maxTag    = 5000
	maxParam  = 5000
	maxChunks = 200
	maxField  = 1<<24 - 1 // a data set's profile
	maxSchema = 1<<20 - 1
	maxName   = 500
	digestLen = 36
	maxSource = 400 // of 500, some for what is put before it
)

// document is a version without its profile's bytes, as tags hold it.
type document struct {
	Spec v1alpha1.ModelVersionSpec `json:"spec"`
	// ProfileBytes says how long the data set's profile field is, so that a
	// list asks for no more than it can take.
	ProfileBytes int `json:"profileBytes,omitempty"`
	// Created is when a version that was copied here was registered; of others
	// MLflow knows.
	Created *time.Time `json:"created,omitempty"`
}

// encodeSpec makes a spec's tags and the SHA-256 of what they hold together.
func encodeSpec(d document) (tags []tag, sum string, err error) {
	d.Spec = *d.Spec.DeepCopy()
	if d.Spec.Profile != nil {
		d.Spec.Profile.Gzip = ""
	}
	b, err := json.Marshal(d)
	if err != nil {
		return nil, "", err
	}
	rest := string(b)
	for i := 0; rest != ""; i++ {
		if i == maxChunks {
			return nil, "", fmt.Errorf("%w: version of %s takes %d bytes besides its profile, MLflow's tags hold %d: keep this model's versions in a registry s3://bucket/prefix",
				registry.ErrTooLarge, d.Spec.Model, len(b), maxChunks*maxTag)
		}
		n := min(len(rest), maxTag)
		for n < len(rest) && !utf8.RuneStart(rest[n]) {
			n--
		}
		tags = append(tags, tag{specTag(i), rest[:n]})
		rest = rest[n:]
	}
	return tags, hash(b), nil
}

func specTag(i int) string {
	if i == 0 {
		return tagSpec
	}
	return tagSpec + "." + strconv.Itoa(i)
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// entry is a model version as it was read, before its profile.
type entry struct {
	version registry.Version
	// said is the lifecycle that the changes lead to; the alias may say
	// something else.
	said v1alpha1.Lifecycle
	// ours: registered by Leeway, whose run holds the profile. Of others' runs
	// nothing is expected.
	ours  bool
	draft bool
	run   string
	nonce string
	sum   string // SHA-256 of the document
	bytes int    // of the profile field
}

// decode reads a model version of a model. Whatever its tags say, it ends with
// a version or an error that names the tag. live says whether the alias is on
// it.
func decode(model string, v modelVersion, live bool) (entry, error) {
	tags := make(map[string]string, len(v.Tags))
	for _, t := range v.Tags {
		tags[t.Key] = t.Value
	}
	n := int64(v.Version)
	e := entry{run: v.RunID, nonce: tags[tagNonce], version: registry.Version{Model: model, Number: n, Created: time.UnixMilli(int64(v.Created)).UTC()}}
	broken := func(tag string, err error) error {
		return fmt.Errorf("version %d of %s in MLflow: tag %s: %w: %w", n, model, tag, registry.ErrInvalid, err)
	}
	if n < 1 {
		return e, fmt.Errorf("a version of %s in MLflow: %w: its number is %d", model, registry.ErrInvalid, n)
	}
	d, sum, there, err := decodeSpec(tags)
	if err != nil {
		return e, broken(tagSpec, err)
	}
	if there && d.Spec.Model == model { // a copy of another model's version is nobody's
		e.ours, e.sum, e.bytes, e.draft = true, sum, d.ProfileBytes, tags[tagState] != stateComplete
		e.version.Spec = registry.Numbered(d.Spec, n)
		if d.Created != nil {
			e.version.Created = d.Created.UTC()
		}
	} else {
		e.version.Spec = v1alpha1.ModelVersionSpec{Model: model, Version: n,
			Artifact: v1alpha1.Artifact{URI: withoutPassword(v.Source)}, Lineage: v1alpha1.Lineage{Run: v.RunID}}
	}
	e.draft = e.draft || v.Status != ready && v.Status != ""
	if e.version.Audit, err = decodeChanges(tags); err != nil {
		return e, broken(tagChange, err)
	}
	e.settle(live)
	return e, nil
}

func decodeSpec(tags map[string]string) (d document, sum string, there bool, err error) {
	first, there := tags[tagSpec]
	if !there {
		return d, "", false, nil
	}
	var all strings.Builder
	all.WriteString(first)
	for i := 1; i < maxChunks; i++ {
		chunk, ok := tags[specTag(i)]
		if !ok {
			break
		}
		all.WriteString(chunk)
	}
	b := []byte(all.String())
	if len(b) > maxChunks*maxTag {
		return d, "", true, fmt.Errorf("%d bytes, at most %d are read", len(b), maxChunks*maxTag)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, "", true, err
	}
	spec := d.Spec
	if spec.Profile != nil {
		if spec.Profile.Gzip != "" {
			return d, "", true, fmt.Errorf("it holds a profile")
		}
		spec.Profile = nil
	}
	if err := registry.Validate(spec); err != nil {
		return d, "", true, err
	}
	if d.ProfileBytes < 0 || d.ProfileBytes > maxField {
		return d, "", true, fmt.Errorf("profileBytes is %d, at most %d are allowed", d.ProfileBytes, maxField)
	}
	return d, hash(b), true, nil
}

func changeTag(change int) string { return fmt.Sprintf("%s.%06d", tagChange, change) }

// decodeChanges reads the changes from 1 up to the first that is missing.
func decodeChanges(tags map[string]string) ([]v1alpha1.AuditLine, error) {
	var lines []v1alpha1.AuditLine
	for {
		text, ok := tags[changeTag(len(lines)+1)]
		if !ok {
			return lines, nil
		}
		var c change
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return nil, fmt.Errorf("%s: %w", changeTag(len(lines)+1), err)
		}
		if err := registry.CheckTransition(c.From, c.To); err != nil {
			return nil, fmt.Errorf("%s: %w", changeTag(len(lines)+1), err)
		}
		lines = append(lines, c.AuditLine)
	}
}

// settle says what the lifecycle is, from the changes and the alias.
func (e *entry) settle(live bool) {
	v := &e.version
	v.Lifecycle = v1alpha1.Registered
	if n := len(v.Audit); n > 0 {
		v.Lifecycle, v.Reason = v.Audit[n-1].To, v.Audit[n-1].Reason
	}
	e.said = v.Lifecycle
	switch {
	case live && e.said == v1alpha1.Registered:
		v.Lifecycle, v.Reason = v1alpha1.Live, "alias live was set in MLflow"
	case !live && e.said == v1alpha1.Live:
		v.Lifecycle, v.Reason = v1alpha1.Registered, "alias live is no longer on this version in MLflow"
	}
}

// withoutPassword is a URI that may be shown.
func withoutPassword(uri string) string {
	if u, err := url.Parse(uri); err == nil && u.User != nil {
		return u.Redacted()
	}
	return uri
}
