package relay

import "time"

// Hasty is cfg with waits of d for whatever may never come.
func (cfg Config) Hasty(d time.Duration) Config {
	cfg.waits = waits{answer: d, request: d, afterServer: d, refused: d}
	return cfg
}
