package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/leeway-dev/leeway/registry"
)

// Schemas remembers the schema of profiles by their digest: unpacking every
// version each second would be the loop's main work.
type Schemas struct {
	mu sync.Mutex
	by map[string]string
}

// NewSchemas remembers none.
func NewSchemas() *Schemas { return &Schemas{by: map[string]string{}} }

// of is a word that two versions share when their features have the same names
// and types; empty when the version has no readable profile.
func (s *Schemas) of(v *registry.Version) string {
	if v.Spec.Profile == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if schema, ok := s.by[v.Spec.Profile.Digest]; ok {
		return schema
	}
	schema := ""
	if p, _, err := v.Profile(); err == nil {
		h := sha256.New()
		for _, c := range p.Features {
			h.Write([]byte(c.Name + "\x00" + string(c.Type) + "\x00"))
		}
		schema = hex.EncodeToString(h.Sum(nil)[:8])
	}
	s.by[v.Spec.Profile.Digest] = schema
	return schema
}
