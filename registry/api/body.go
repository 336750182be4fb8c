package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// body opens a bounded body, and undoes gzip within the same bound.
func (h *handler) body(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	body := http.MaxBytesReader(w, r.Body, h.MaxBody)
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, unreadable(err)
		}
		return &bounded{z, h.MaxBody, h.MaxBody}, nil
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, UnsupportedMedia, "", "content encoding %.40q: send gzip, or none", encoding)
	}
}

// bounded fails beyond a number of bytes, as http.MaxBytesReader does.
type bounded struct {
	r           io.Reader
	left, limit int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, &http.MaxBytesError{Limit: b.limit}
	}
	return n, err
}

// unreadable is a body that broke off, or is not what its headers say.
func unreadable(err error) error {
	if limit := new(http.MaxBytesError); errors.As(err, &limit) {
		return err
	}
	return refuse(http.StatusBadRequest, BadRequest, "", "the body can't be read: %w", err)
}

// readSpec reads what is to be registered: JSON alone, with the profile in it
// as a ModelVersion object has it; or a form with the JSON in the part "spec"
// and the profile's bytes in the part "profile".
func (h *handler) readSpec(w http.ResponseWriter, r *http.Request) (spec v1alpha1.ModelVersionSpec, err error) {
	body, err := h.body(w, r)
	if err != nil {
		return spec, err
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json":
		b, err := io.ReadAll(body)
		if err != nil {
			return spec, unreadable(err)
		}
		return decodeSpec(b)
	case err == nil && kind == "multipart/form-data" && params["boundary"] != "":
		return readForm(multipart.NewReader(body, params["boundary"]))
	}
	return spec, refuse(http.StatusUnsupportedMediaType, UnsupportedMedia, "",
		"content type %.100q: send application/json, or multipart/form-data with the parts spec and profile", r.Header.Get("Content-Type"))
}

func readForm(form *multipart.Reader) (spec v1alpha1.ModelVersionSpec, err error) {
	parts := map[string][]byte{}
	for {
		part, err := form.NextPart()
		if err == io.EOF { // not wrapped: that is a form which broke off
			break
		}
		if err != nil {
			return spec, unreadable(err)
		}
		name := part.FormName()
		if _, twice := parts[name]; twice || name != "spec" && name != "profile" {
			return spec, invalid(name, "part %.40q: want one spec and at most one profile", name)
		}
		if parts[name], err = io.ReadAll(part); err != nil {
			return spec, unreadable(err)
		}
	}
	if parts["spec"] == nil {
		return spec, invalid("spec", "the form has no part spec")
	}
	if spec, err = decodeSpec(parts["spec"]); err != nil || parts["profile"] == nil {
		return spec, err
	}
	if spec.Profile != nil {
		return spec, invalid("profile", "there is a profile in the spec, and one beside it")
	}
	if _, err := profile.Parse(parts["profile"]); err != nil {
		return spec, invalid("profile", "profile: %w", err)
	}
	spec.Profile, err = registry.Pack(parts["profile"])
	return spec, err
}

// decodeSpec takes no field that it does not know: it would be lost.
func decodeSpec(b []byte) (spec v1alpha1.ModelVersionSpec, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&spec); err != nil {
		return spec, decodeError(err, b)
	}
	if d.More() {
		return spec, refuse(http.StatusBadRequest, BadRequest, "", "spec: there is more after it, at byte %d", d.InputOffset())
	}
	return spec, nil
}

// decodeError says where and, if it is known, in which field.
func decodeError(err error, b []byte) error {
	syntax, kind := new(json.SyntaxError), new(json.UnmarshalTypeError)
	switch {
	case errors.As(err, &syntax):
		return refuse(http.StatusBadRequest, BadRequest, "", "spec: %s: %w", place(b, syntax.Offset), err)
	case errors.As(err, &kind):
		return invalid(kind.Field, "spec: %s: %s: want %s, not %s", place(b, kind.Offset), kind.Field, kind.Type, kind.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), `json: unknown field "`); ok {
		name = strings.TrimSuffix(name, `"`)
		return invalid(name, "spec: field %.100q is not known", name)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse(http.StatusBadRequest, BadRequest, "", "spec: it breaks off after %d bytes", len(b))
	}
	return refuse(http.StatusBadRequest, BadRequest, "", "spec: %w", err)
}

func place(b []byte, offset int64) string {
	before := b[:min(max(offset, 0), int64(len(b)))]
	return fmt.Sprintf("line %d, byte %d", 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n')-1)
}
