package client

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// maxPages bounds a list whose pages never end.
const maxPages = 1 << 16

// pages reads all of a list.
func pages[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var all []T
	token := ""
	for range maxPages {
		var page api.Page[T]
		if err := c.get(ctx, path, map[string]string{"continue": token}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		switch page.Continue {
		case "":
			return all, nil
		case token:
			return nil, fmt.Errorf("%s: %w: the list does not go on", c.where(), registry.ErrInvalid)
		}
		token = page.Continue
	}
	return nil, fmt.Errorf("%s: %w: the list does not end", c.where(), registry.ErrInvalid)
}

// atOnce is how many profiles are fetched at once.
const atOnce = 8

func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

// check refuses an answer about something else.
func (c *Client) check(v api.Version, model string) error {
	if v.Spec.Model != model || v.Spec.Version < 1 {
		return fmt.Errorf("%s: %w: it answered with version %d of %.70q, asked was %s", c.where(), registry.ErrInvalid, v.Spec.Version, v.Spec.Model, model)
	}
	return nil
}

// whole adds its profile to a version.
func (c *Client) whole(ctx context.Context, model string, w api.Version) (registry.Version, error) {
	if err := c.check(w, model); err != nil {
		return registry.Version{}, err
	}
	v := w.Registry()
	if w.Spec.Profile == nil {
		return v, nil
	}
	packed, err := c.packed(ctx, model, v.Number, w.Spec.Profile.Digest)
	if err != nil {
		return registry.Version{}, err
	}
	v.Spec.Profile = &packed
	return v, nil
}

// packed returns a profile in the form that versions have it in. It is kept by
// its digest, whatever a server says at another time.
func (c *Client) packed(ctx context.Context, model string, number int64, digest string) (v1alpha1.Profile, error) {
	if known, ok := c.profiles.Get(digest, ""); ok {
		return known, nil
	}
	a, err := c.fetch(ctx, c.profilePath(model, number), nil, false)
	if err != nil {
		return v1alpha1.Profile{}, err
	}
	packed, err := registry.Pack(a.body)
	if err != nil {
		return v1alpha1.Profile{}, err
	}
	if packed.Digest != digest {
		return v1alpha1.Profile{}, fmt.Errorf("%s: profile of version %d of %s: %w: its digest is %s, registered was %.80q", c.where(), number, model, registry.ErrInvalid, packed.Digest, digest)
	}
	c.profiles.Put(digest, "", *packed, int64(len(packed.Gzip)+overhead))
	return *packed, nil
}
