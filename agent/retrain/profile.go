package retrain

import (
	"encoding/json"
	"fmt"

	"github.com/leeway-dev/leeway/registry/profile"
)

// Compact encodes a live profile so that it fits into the Job: whole when it
// does, else without the sketches, else without the categories beyond the bins.
// The bins, on the reference of the live version, are kept to the last.
func Compact(p *profile.Profile) ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the live profile: %w", err)
	}
	for _, less := range []func(*profile.Column){
		func(c *profile.Column) { c.Sketch = nil },
		func(c *profile.Column) { c.Categories, c.Seen = nil, nil },
	} {
		if len(b) <= MaxProfileBytes {
			return b, nil
		}
		small := *p
		small.Features = append([]profile.Column(nil), p.Features...)
		small.Predictions = append([]profile.Column(nil), p.Predictions...)
		for i := range small.Features {
			less(&small.Features[i])
		}
		for i := range small.Predictions {
			less(&small.Predictions[i])
		}
		if b, err = json.Marshal(small); err != nil {
			return nil, fmt.Errorf("encode the live profile: %w", err)
		}
		p = &small
	}
	if len(b) > MaxProfileBytes {
		return nil, fmt.Errorf("the live profile has %d bytes, and a pod's annotations hold %d", len(b), MaxProfileBytes)
	}
	return b, nil
}
