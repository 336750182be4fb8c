package registry

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// MaxProfileBytes bounds a profile before compression.
const MaxProfileBytes = profile.MaxBytes

// ErrNoProfile says that a version was registered without a profile.
var ErrNoProfile = errors.New("no profile")

// Version is one registered version of a model.
type Version struct {
	Model string
	// Number is from 1, given once.
	Number int64
	// Created is when the version was registered.
	Created time.Time
	// Spec never changes.
	Spec v1alpha1.ModelVersionSpec
	// Lifecycle says what became of it, Reason why.
	Lifecycle v1alpha1.Lifecycle
	Reason    string
	// Audit holds the changes of the lifecycle, oldest first; a store may keep
	// only the latest 50.
	Audit []v1alpha1.AuditLine
}

// Profile returns the training profile, parsed and as its exact bytes. The
// error wraps ErrNoProfile when there is none; bytes that don't agree with
// their registered digest are refused.
func (v Version) Profile() (*profile.Profile, []byte, error) {
	if v.Spec.Profile == nil {
		return nil, nil, fmt.Errorf("version %d of %s has %w: register one with --profile", v.Number, v.Model, ErrNoProfile)
	}
	b, err := Unpack(*v.Spec.Profile)
	if err != nil {
		return nil, nil, fmt.Errorf("profile of version %d of %s: %w", v.Number, v.Model, err)
	}
	p, err := profile.Parse(b)
	if err != nil {
		return nil, nil, fmt.Errorf("profile of version %d of %s: %w", v.Number, v.Model, err)
	}
	return p, b, nil
}

// Pack makes the registered form of a profile's bytes. The same bytes give the
// same form.
func Pack(b []byte) (*v1alpha1.Profile, error) {
	if len(b) > MaxProfileBytes {
		return nil, fmt.Errorf("%w: the profile has %d bytes, at most %d are allowed", ErrTooLarge, len(b), MaxProfileBytes)
	}
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &v1alpha1.Profile{Digest: digest(b), Gzip: base64.StdEncoding.EncodeToString(buf.Bytes())}, nil
}

// Unpack returns a registered profile's bytes, and refuses what does not agree
// with its digest.
func Unpack(p v1alpha1.Profile) ([]byte, error) {
	r, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(p.Gzip)))
	if err != nil {
		return nil, fmt.Errorf("%w: not gzip: %w", ErrInvalid, err)
	}
	b, err := io.ReadAll(io.LimitReader(r, MaxProfileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: broken gzip: %w", ErrInvalid, err)
	}
	if len(b) > MaxProfileBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxProfileBytes)
	}
	if got := digest(b); got != p.Digest {
		return nil, fmt.Errorf("%w: the bytes have digest %s, registered was %s", ErrInvalid, got, p.Digest)
	}
	return b, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Key identifies what a spec registers: 64 hexadecimal digits of its content,
// number aside, and of the decision that asked for it. It is empty without a
// decision: then registering twice makes two versions.
func Key(spec v1alpha1.ModelVersionSpec) (string, error) {
	if spec.Lineage.Decision == "" {
		return "", nil
	}
	spec.Version = 0
	if spec.Profile != nil { // the digest says it; compression may differ
		spec.Profile = &v1alpha1.Profile{Digest: spec.Profile.Digest}
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// ParseNumber reads a version as people write it: "3" or "v3".
func ParseNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "v"), 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%w: version %q is not a whole number from 1", ErrInvalid, s)
	}
	return n, nil
}

// Numbered returns the spec as it is kept: with its number, which evaluations
// of the version itself (Version 0) get too. Stores call it.
func Numbered(spec v1alpha1.ModelVersionSpec, number int64) v1alpha1.ModelVersionSpec {
	spec = *spec.DeepCopy()
	spec.Version = number
	for i := range spec.Evaluations {
		if spec.Evaluations[i].Version == 0 {
			spec.Evaluations[i].Version = number
		}
	}
	return spec
}
