package artifact

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// imageTimeout bounds the question of whether an image is there.
const imageTimeout = 10 * time.Second

// digestImage is the digest that an image is pinned by. Where its registry may be
// asked, the image must be there.
func (c *Checker) digestImage(ctx context.Context, uri, digest string) (string, error) {
	image := uri
	for _, prefix := range []string{"docker://", "oci://"} {
		image = strings.TrimPrefix(image, prefix)
	}
	ref, err := name.NewDigest(image)
	if err != nil {
		return "", fmt.Errorf("%s: %w: not an image: %w", show(uri), ErrScheme, err)
	}
	allowed, ask := c.options.Allow.image(ref.Context().Name())
	if !allowed {
		return "", c.options.Allow.forbid(uri)
	}
	if !ask {
		return digest, nil
	}
	ctx, cancel := context.WithTimeout(ctx, imageTimeout)
	defer cancel()
	keys := c.options.Keychain
	if keys == nil {
		keys = anonymous{}
	}
	found, err := remote.Head(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(keys), remote.WithUserAgent("leeway"),
		remote.WithTransport(newTransport(ref.Context().RegistryStr(), c.options.Allow.patterns == nil)), remote.WithRetryBackoff(remote.Backoff{Steps: 1, Duration: time.Second}))
	if err != nil {
		return "", explainImage(uri, err)
	}
	return found.Digest.Hex, nil
}

// anonymous has no credentials for any registry.
type anonymous struct{}

// Resolve implements authn.Keychain.
func (anonymous) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// explainImage says what the answer of a registry means. One that asks for
// credentials does not tell a missing image from a private one.
func explainImage(uri string, err error) error {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return fmt.Errorf("%s: %w: %w", show(uri), ErrUnreachable, err)
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w: its registry has no such image: %w", show(uri), ErrMissing, err)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s: %w: its registry wants other credentials, which is also how many answer for an image that is not there: %w", show(uri), ErrUnreachable, err)
	}
	return fmt.Errorf("%s: %w: %w", show(uri), ErrUnreachable, err)
}
