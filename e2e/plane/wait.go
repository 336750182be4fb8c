package plane

import (
	"context"
	"fmt"
	"time"
)

// Await tries until there is no error, or time is over.
func Await(ctx context.Context, within time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s: %w", within, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Pause lets time pass. Its error is that of ctx.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
