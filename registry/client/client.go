package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/seen"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Config of a Client. URL must be set.
type Config struct {
	// URL of a controller, or of what stands before it: http://host:9096. A path
	// is put before the API's own.
	URL string
	// Namespace that the models are in; a controller needs it.
	Namespace string
	// Token gives the bearer token, for each request anew: a mounted one is
	// renewed meanwhile. nil: none is sent.
	Token func(context.Context) (string, error)
	// HTTP; nil: a client of its own, which waits a minute for an answer.
	HTTP *http.Client
	// Tries is how often a request is sent at most; 0 is 4, 1 never again.
	Tries int
	// MaxCache bounds the bytes of answers that are kept; 0 is 64 MiB.
	MaxCache int64
}

// Client is a registry behind the HTTP API. It implements registry.Store.
type Client struct {
	base      string
	namespace string
	token     func(context.Context) (string, error)
	http      *http.Client
	tries     int
	// answers by URL, and profiles in the form that versions have them in by digest.
	answers  *seen.Cache[answer]
	profiles *seen.Cache[v1alpha1.Profile]
}

var _ registry.Store = (*Client)(nil)

// New returns a client. It reaches nothing yet.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: registry URL: it can't be read", registry.ErrInvalid) // err repeats it, secrets and all
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%w: registry URL %s: want http://HOST or https://HOST", registry.ErrInvalid, u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("%w: registry URL %s: give a token, not a user", registry.ErrInvalid, u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%w: registry URL %s: it has a query or a fragment", registry.ErrInvalid, u.Redacted())
	}
	room := cmp.Or(c.MaxCache, 64<<20)
	client := &Client{
		base: strings.TrimSuffix(u.String(), "/"), namespace: c.Namespace, token: c.Token, http: c.HTTP,
		tries: cmp.Or(c.Tries, 4), answers: seen.New[answer](room / 2), profiles: seen.New[v1alpha1.Profile](room - room/2),
	}
	if client.http == nil {
		client.http = &http.Client{Timeout: time.Minute}
	}
	return client, nil
}

// In returns the registry of another namespace, which shares this one's
// connections and cache.
func (c *Client) In(namespace string) *Client {
	other := *c
	other.namespace = namespace
	return &other
}

// path of a model, or below it.
func (c *Client) path(parts ...string) string {
	p := "models"
	for _, part := range parts {
		p += "/" + url.PathEscape(part)
	}
	return p
}

// Models implements registry.Store.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	items, err := pages[api.Model](ctx, c, c.path())
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(items))
	for _, m := range items {
		names = append(names, m.Name)
	}
	return names, nil
}

// Get implements registry.Store.
func (c *Client) Get(ctx context.Context, model string, number int64) (registry.Version, error) {
	if err := registry.ValidateModel(model); err != nil {
		return registry.Version{}, err
	}
	if number < 1 {
		return registry.Version{}, fmt.Errorf("version %d of %s in %s: %w", number, model, c.where(), registry.ErrNotFound)
	}
	var v api.Version
	if err := c.get(ctx, c.path(model, "versions", strconv.FormatInt(number, 10)), nil, &v); err != nil {
		return registry.Version{}, err
	}
	if v.Spec.Version != number {
		return registry.Version{}, fmt.Errorf("%s: %w: it answered with version %d of %.70q, asked was %d", c.where(), registry.ErrInvalid, v.Spec.Version, v.Spec.Model, number)
	}
	return c.whole(ctx, model, v)
}

// List implements registry.Store.
func (c *Client) List(ctx context.Context, model string) ([]registry.Version, error) {
	if err := registry.ValidateModel(model); err != nil {
		return nil, err
	}
	items, err := pages[api.Version](ctx, c, c.path(model, "versions"))
	if err != nil {
		return nil, err
	}
	versions := make([]registry.Version, len(items))
	err = each(ctx, len(items), func(ctx context.Context, i int) (err error) {
		versions[i], err = c.whole(ctx, model, items[i])
		if errors.Is(err, registry.ErrNotFound) { // deleted since
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(versions, func(v registry.Version) bool { return v.Number == 0 }), nil
}

// Register implements registry.Store.
func (c *Client) Register(ctx context.Context, spec v1alpha1.ModelVersionSpec) (registry.Version, error) {
	if err := registry.Validate(spec); err != nil {
		return registry.Version{}, err
	}
	var v api.Version
	if err := c.post(ctx, c.path(spec.Model, "versions"), nil, spec, spec.Lineage.Decision != "", &v); err != nil {
		return registry.Version{}, err
	}
	if err := c.check(v, spec.Model); err != nil {
		return registry.Version{}, err
	}
	registered := v.Registry()
	registered.Spec.Profile = spec.Profile
	return registered, nil
}

// Match is registry.Match of a model's versions, done where they are. Findings
// and labelled rows can't be sent: with those it is refused.
func (c *Client) Match(ctx context.Context, model string, live *profile.Profile, o registry.MatchOptions) (registry.Result, error) {
	if err := registry.ValidateModel(model); err != nil {
		return registry.Result{}, err
	}
	if o.Findings != nil || o.Labelled != nil {
		return registry.Result{}, c.unsupported("takes no findings and no labelled rows for a match")
	}
	body, err := live.Encode()
	if err != nil {
		return registry.Result{}, fmt.Errorf("%w: live profile: %w", registry.ErrInvalid, err)
	}
	q := url.Values{}
	if o.Live != 0 {
		q.Set("live", strconv.FormatInt(o.Live, 10))
	}
	if o.Tolerance != 0 {
		q.Set("tolerance", strconv.FormatFloat(o.Tolerance, 'g', -1, 64))
	}
	r := registry.Result{}
	err = c.post(ctx, c.path(model, "match"), q, rawJSON(body), true, &r)
	r.Rows, r.Length = live.Rows, live.Length()
	return r, err
}

// Profile returns the training profile of a version, its exact bytes. Its
// digest agrees with the one that the registry says.
func (c *Client) Profile(ctx context.Context, model string, number int64) ([]byte, error) {
	if err := registry.ValidateModel(model); err != nil {
		return nil, err
	}
	a, err := c.fetch(ctx, c.profilePath(model, number), nil, true)
	if err != nil {
		return nil, err
	}
	if got := profile.Digest(a.body); got != a.tag {
		return nil, fmt.Errorf("%s: profile of version %d of %s: %w: its digest is %s, the registry says %.80q", c.where(), number, model, registry.ErrInvalid, got, a.tag)
	}
	return a.body, nil
}

func (c *Client) profilePath(model string, number int64) string {
	return c.path(model, "versions", strconv.FormatInt(number, 10), "profile")
}

// SetLifecycle implements registry.Store: the API does not offer it.
func (c *Client) SetLifecycle(context.Context, string, int64, v1alpha1.Lifecycle, v1alpha1.Lifecycle, string, string) error {
	return c.unsupported("changes no lifecycles")
}

// Delete implements registry.Store: the API does not offer it.
func (c *Client) Delete(context.Context, string, int64, string, string) error {
	return c.unsupported("deletes nothing")
}

func (c *Client) unsupported(what string) error {
	return fmt.Errorf("registry %s: %w: the HTTP API %s; use the store that it serves", c.where(), errors.ErrUnsupported, what)
}

// where says which registry, in errors.
func (c *Client) where() string {
	if c.namespace == "" {
		return c.base
	}
	return c.base + " (namespace " + c.namespace + ")"
}
