package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a request can be refused for.
var (
	// ErrUnauthenticated: there is no token, or it is not one for Leeway.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrForbidden: the token's owner may not do this.
	ErrForbidden = errors.New("forbidden")
	// ErrUnavailable: the API server could not be asked.
	ErrUnavailable = errors.New("the API server does not answer")
	// ErrForeign: a series that its sender may not write, while it may others.
	ErrForeign = fmt.Errorf("%w: not its own series", ErrForbidden)
	// ErrUnknownPod is ErrForeign for a pod that nobody knows. Where the series was
	// admitted before, the pod was known then.
	ErrUnknownPod = fmt.Errorf("%w: no such model pod", ErrForeign)
)

// Audience is that of Leeway's tokens.
const Audience = "leeway"

// Group of the kinds that the access reviews name.
const Group = "leeway.dev"

// Keys in a token's extra fields, set by the API server for bound tokens.
const (
	nodeNameKey = "authentication.kubernetes.io/node-name"
	podNameKey  = "authentication.kubernetes.io/pod-name"
)

// TokenReviews is the part of client-go's AuthenticationV1().TokenReviews() used.
type TokenReviews interface {
	Create(context.Context, *authenticationv1.TokenReview, metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}

// AccessReviews is the part of client-go's AuthorizationV1().SubjectAccessReviews()
// used.
type AccessReviews interface {
	Create(context.Context, *authorizationv1.SubjectAccessReview, metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error)
}

// Config of an Authority. Tokens and Access must be set.
type Config struct {
	Tokens TokenReviews
	Access AccessReviews
	// Namespace of Leeway's own agents; empty: leeway-system.
	Namespace string
	// Fresh is for how long an answer is used without asking again; 0 is 1 min.
	Fresh time.Duration
	// Keep is for how long it is used when asking fails; 0 is 10 min.
	Keep time.Duration
	// MaxEntries of either cache; 0 is 4,096.
	MaxEntries int
	// Pods are held against what node agents write and read. Nil: their node is
	// all that is asked for.
	Pods       *Pods
	Registerer prometheus.Registerer // may be nil
	Now        func() time.Time      // nil: time.Now
}

// refusedFor is how long a refused token or right is remembered: a role that was
// just bound should not seem missing for a minute.
const refusedFor = 5 * time.Second

const askTimeout = 5 * time.Second

// Authority answers who a token belongs to and what they may do.
type Authority struct {
	cfg    Config
	tokens *cache[[sha256.Size]byte, *Identity] // nil: not a valid token
	access *cache[accessKey, bool]
	asking singleflight.Group
	// reserved are the metrics that no sidecar exports.
	reserved map[string]bool
	refused  *prometheus.CounterVec
}

// Identity is the owner of a token.
type Identity struct {
	User   string
	UID    string
	Groups []string
	// Node and Pod are what the token is bound to; empty when it is not.
	Node string
	Pod  string

	extra map[string]authenticationv1.ExtraValue
	role  role
}

// role is which of Leeway's own agents an identity is.
type role int

const (
	outsider role = iota
	nodeAgent
	controller
)

// New makes an Authority and registers its counter.
func New(cfg Config) (*Authority, error) {
	cfg.Namespace = cmp.Or(cfg.Namespace, "leeway-system")
	cfg.Fresh = cmp.Or(cfg.Fresh, time.Minute)
	cfg.Keep = cmp.Or(cfg.Keep, 10*time.Minute)
	cfg.MaxEntries = cmp.Or(cfg.MaxEntries, 4096)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Authority{
		cfg:      cfg,
		tokens:   newCache[[sha256.Size]byte, *Identity](cfg.MaxEntries),
		access:   newCache[accessKey, bool](cfg.MaxEntries),
		reserved: reserved(),
		refused:  newRefused(),
	}
	if cfg.Registerer != nil {
		if err := cfg.Registerer.Register(a.refused); err != nil {
			return nil, fmt.Errorf("auth: metrics: %w", err)
		}
	}
	return a, nil
}

// Identify says whose token it is.
func (a *Authority) Identify(ctx context.Context, token string) (*Identity, error) {
	key := sha256.Sum256([]byte(token))
	id, known, fresh := a.tokens.get(key, a.cfg.Now())
	if !fresh {
		// Many requests of one sender at once are one question.
		got, err, _ := a.asking.Do(string(key[:]), func() (any, error) { return a.review(ctx, token) })
		switch {
		case err == nil:
			id = got.(*Identity)
			if id != nil {
				a.tokens.put(key, id, a.cfg.Now(), a.cfg.Fresh, a.cfg.Keep)
			} else {
				a.tokens.put(key, nil, a.cfg.Now(), refusedFor, 0)
			}
		case !known:
			return nil, fmt.Errorf("%w: token review: %w", ErrUnavailable, err)
		}
	}
	if id == nil {
		return nil, fmt.Errorf("%w: the token is not valid for the audience %q; mount one with serviceAccountToken: {audience: %s}", ErrUnauthenticated, Audience, Audience)
	}
	return id, nil
}

// review asks the API server; a nil identity is a token that is not valid.
func (a *Authority) review(ctx context.Context, token string) (*Identity, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	res, err := a.cfg.Tokens.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{Audience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	// A server that knows no audiences would confirm any token: the answer has to
	// name ours.
	if !res.Status.Authenticated || !contains(res.Status.Audiences, Audience) {
		return nil, nil
	}
	user := res.Status.User
	id := &Identity{
		User: user.Username, UID: user.UID, Groups: user.Groups, extra: user.Extra,
		Node: only(user.Extra[nodeNameKey]), Pod: only(user.Extra[podNameKey]),
	}
	switch user.Username {
	case "system:serviceaccount:" + a.cfg.Namespace + ":leeway-node":
		id.role = nodeAgent
	case "system:serviceaccount:" + a.cfg.Namespace + ":leeway-controller":
		id.role = controller
	}
	return id, nil
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func only(values authenticationv1.ExtraValue) string {
	if len(values) == 1 {
		return values[0]
	}
	return ""
}
