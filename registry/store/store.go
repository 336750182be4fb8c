// Package store opens a registry by its URI. It exists so that the packages of
// the stores need not know each other, and so that a program that opens
// registries by name has one place to ask.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	httpclient "github.com/leeway-dev/leeway/registry/client"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/mlflow"
	"github.com/leeway-dev/leeway/registry/s3"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Options are what some stores need.
type Options struct {
	// Kube connects to the cluster that kube: is in, and says which namespace
	// kube: without a name means. It is called for kube: only.
	Kube func() (c client.WithWatch, namespace string, err error)
	// MLflow is what an MLflow server may ask for.
	MLflow mlflow.Credentials
	// Token gives the bearer token for leeway+http: and leeway+https:; nil: none.
	Token func(context.Context) (string, error)
	// Namespace is the one that leeway+http: means where the URI names none; nil:
	// none.
	Namespace func() (string, error)
	// Now gives the time of registrations and changes.
	Now func() time.Time
}

// Open opens a registry: dir:PATH, kube:, kube:NAMESPACE, s3://BUCKET/PREFIX,
// mlflow+http(s)://HOST, or leeway+https://HOST[?namespace=NAMESPACE], which is
// one that a controller serves. S3 is reached as the AWS tools do, by
// AWS_ENDPOINT_URL and the others. It may reach nothing yet: an error of the
// store itself comes with the first call. No error holds a password.
func Open(ctx context.Context, uri string, o Options) (registry.Store, error) {
	kind, rest, ok := strings.Cut(uri, ":")
	switch {
	case ok && kind == "dir" && rest != "":
		return dir.New(rest, o.Now), nil
	case strings.HasPrefix(uri, "s3://"):
		s, err := s3.New(uri, bucket.Options{}, o.Now)
		if err != nil {
			return nil, err
		}
		return s, nil
	case ok && kind == "kube":
		if o.Kube == nil {
			return nil, fmt.Errorf("registry %s: %w: there is no cluster here", uri, registry.ErrInvalid)
		}
		c, namespace, err := o.Kube()
		if err != nil {
			return nil, fmt.Errorf("registry %s: %w: %w", uri, registry.ErrUnreachable, err)
		}
		return kube.New(c, cmp.Or(rest, namespace), o.Now), nil
	case ok && (kind == "mlflow+http" || kind == "mlflow+https"):
		s, err := mlflow.New(uri, o.MLflow, o.Now)
		if err != nil {
			return nil, err
		}
		return s, nil
	case ok && (kind == "leeway+http" || kind == "leeway+https"):
		return o.served(strings.TrimPrefix(uri, "leeway+"))
	}
	return nil, fmt.Errorf("%w: registry %q is none of dir:PATH, kube:, kube:NAMESPACE, s3://BUCKET/PREFIX, mlflow+http(s)://HOST and leeway+https://HOST", registry.ErrInvalid, Redact(uri))
}

// served is the registry behind the HTTP API at a URL.
func (o Options) served(uri string) (registry.Store, error) {
	uri, query, _ := strings.Cut(uri, "?")
	q, err := url.ParseQuery(query)
	namespace := q.Get("namespace")
	if q.Del("namespace"); err != nil || len(q) > 0 {
		return nil, fmt.Errorf("%w: registry leeway+%s: only ?namespace=NAMESPACE may follow it", registry.ErrInvalid, uri)
	}
	if namespace == "" && o.Namespace != nil {
		if namespace, err = o.Namespace(); err != nil {
			return nil, fmt.Errorf("registry leeway+%s: which namespace is the model in? Say so with ?namespace=: %w", uri, err)
		}
	}
	s, err := httpclient.New(httpclient.Config{URL: uri, Namespace: namespace, Token: o.Token})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Redact returns a registry's URI as it may be shown: without a password.
func Redact(uri string) string { return mlflow.Redact(uri) }

// InNamespace puts a namespace where a URI says {namespace}, and behind kube:
// without a name: the registry of the models in that namespace.
func InNamespace(uri, namespace string) string {
	if uri == "kube:" {
		return uri + namespace
	}
	return strings.ReplaceAll(uri, "{namespace}", namespace)
}

// AddToScheme makes known what the kube: store reads and writes.
func AddToScheme(s *runtime.Scheme) error {
	return errors.Join(clientgoscheme.AddToScheme(s), v1alpha1.AddToScheme(s))
}
