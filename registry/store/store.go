// Package store opens a registry by its URI. It exists so that the packages of
// the stores need not know each other, and so that a program that opens
// registries by name has one place to ask.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
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
	Kube func() (c client.Client, namespace string, err error)
	// MLflow is what an MLflow server may ask for.
	MLflow mlflow.Credentials
	// Now gives the time of registrations and changes.
	Now func() time.Time
}

// Open opens a registry: dir:PATH, kube:, kube:NAMESPACE, s3://BUCKET/PREFIX or
// mlflow+http(s)://HOST. S3 is reached as the AWS tools do, by AWS_ENDPOINT_URL
// and the others. It may reach nothing yet: an error of the store itself comes
// with the first call. No error holds a password.
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
	}
	return nil, fmt.Errorf("%w: registry %q is none of dir:PATH, kube:, kube:NAMESPACE, s3://BUCKET/PREFIX and mlflow+http(s)://HOST", registry.ErrInvalid, Redact(uri))
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
