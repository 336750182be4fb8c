package embedded

import (
	"strings"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/metadata"
)

// maxMetadata bounds the metric families that are remembered.
const maxMetadata = 10_000

// metadataCache remembers type and help by metric family, for the query API.
type metadataCache struct {
	mu       sync.RWMutex
	families map[string]metadata.Metadata
}

func newMetadataCache() *metadataCache {
	return &metadataCache{families: map[string]metadata.Metadata{}}
}

func (c *metadataCache) note(series string, m metadata.Metadata) {
	if m.Type == model.MetricTypeUnknown {
		return
	}
	family := familyName(series, m.Type)
	c.mu.RLock()
	known, ok := c.families[family]
	full := len(c.families) >= maxMetadata
	c.mu.RUnlock()
	if (ok && known == m) || (!ok && full) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.families[strings.Clone(family)] = metadata.Metadata{
		Type: m.Type, Unit: strings.Clone(m.Unit), Help: strings.Clone(m.Help),
	}
}

// familyName takes off what a histogram or summary adds to its name.
func familyName(series string, t model.MetricType) string {
	if t == model.MetricTypeHistogram || t == model.MetricTypeSummary {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if name, ok := strings.CutSuffix(series, suffix); ok {
				return name
			}
		}
	}
	return series
}
