package embedded

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
)

// openTSDB opens the storage with less memory up front than a Prometheus server
// takes: the hash map of the head for some thousands of series instead of
// millions, small write buffers and segments.
func openTSDB(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*tsdb.DB, error) {
	o := tsdb.DefaultOptions()
	o.RetentionDuration = cfg.Retention.Milliseconds()
	o.OutOfOrderTimeWindow = cfg.OutOfOrder.Milliseconds()
	o.MaxBlockDuration = max(cfg.Retention/10, 2*time.Hour).Milliseconds()
	o.WALSegmentSize = 16 << 20
	o.WALCompression = compression.Snappy
	o.StripeSize = 1 << 10
	o.HeadChunksWriteBufferSize = 256 << 10
	// The start of a counter that appears is stored as a zero, so that its first
	// value is an increase.
	o.EnableSTAsZeroSample = true
	return tsdb.Open(filepath.Join(cfg.DataDir, "tsdb"), log, reg, o, nil)
}
