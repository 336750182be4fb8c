package api

import (
	_ "embed"
	"fmt"
	"net/http"

	"sigs.k8s.io/yaml"
)

//go:embed openapi.yaml
var openAPIText []byte

// rawJSON is JSON already.
type rawJSON []byte

// MarshalJSON implements json.Marshaler.
func (b rawJSON) MarshalJSON() ([]byte, error) { return b, nil }

// describe returns what clients are made from as JSON, which most tools want.
func describe() (rawJSON, error) {
	b, err := yaml.YAMLToJSON(openAPIText)
	if err != nil {
		return nil, fmt.Errorf("api: openapi.yaml: %w", err)
	}
	return b, nil
}

// openAPI needs no token: it says nothing that this source does not.
func (h *handler) openAPI(w http.ResponseWriter, r *http.Request) error {
	return answer(w, r, h.description)
}
