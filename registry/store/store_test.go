package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	httpclient "github.com/leeway-dev/leeway/registry/client"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/mlflow"
	"github.com/leeway-dev/leeway/registry/s3"
	"github.com/leeway-dev/leeway/registry/store"
)

func TestOpen(t *testing.T) {
	o := store.Options{Now: time.Now, Kube: func() (client.WithWatch, string, error) { return nil, "ml", nil }}
	s, err := store.Open(t.Context(), "dir:"+t.TempDir(), o)
	if _, ok := s.(*dir.Store); !ok || err != nil {
		t.Errorf("dir: got %T, %v", s, err)
	}
	for _, uri := range []string{"kube:", "kube:prod"} {
		s, err := store.Open(t.Context(), uri, o)
		if _, ok := s.(*kube.Store); !ok || err != nil {
			t.Errorf("%s: got %T, %v", uri, s, err)
		}
	}
	s, err = store.Open(t.Context(), "mlflow+http://ada:secret@127.0.0.1:5000", o)
	if _, ok := s.(*mlflow.Store); !ok || err != nil {
		t.Errorf("mlflow: got %T, %v", s, err)
	}
	for _, uri := range []string{"mlflow+ftp://ada:secret@host", "mlflow+http://ada:secret@", "mlflow+http://ada:secret@host:port", "mlflow+http://ada:sec ret@host?x"} {
		_, err := store.Open(t.Context(), uri, o)
		if !errors.Is(err, registry.ErrInvalid) || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: got %v, want invalid and no password", uri, err)
		}
	}
	s, err = store.Open(t.Context(), "s3://bucket/prefix", o)
	if _, ok := s.(*s3.Store); !ok || err != nil {
		t.Errorf("s3: got %T, %v", s, err)
	}
	o.Namespace = func() (string, error) { return "ml", nil }
	for _, uri := range []string{"leeway+http://leeway:9096", "leeway+https://host/behind/it?namespace=prod"} {
		s, err = store.Open(t.Context(), uri, o)
		if _, ok := s.(*httpclient.Client); !ok || err != nil {
			t.Errorf("%s: got %T, %v", uri, s, err)
		}
	}
	for _, uri := range []string{"", "dir:", "registry", "ftp://x", "s3://", "s3:bucket", "https://host", "leeway+http:", "leeway+ftp://host",
		"leeway+https://host?name=x", "leeway+https://me:secret@host"} {
		if _, err := store.Open(t.Context(), uri, o); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q: got %v, want invalid", uri, err)
		}
	}
	o.Kube = func() (client.WithWatch, string, error) { return nil, "", errors.New("no kubeconfig") }
	if _, err := store.Open(t.Context(), "kube:", o); !errors.Is(err, registry.ErrUnreachable) {
		t.Errorf("without a cluster: got %v, want unreachable", err)
	}
}

func TestInNamespace(t *testing.T) {
	for uri, want := range map[string]string{"kube:": "kube:ml", "kube:prod": "kube:prod", "dir:/r/{namespace}": "dir:/r/ml", "dir:/r": "dir:/r", "s3://b/{namespace}/r": "s3://b/ml/r"} {
		if got := store.InNamespace(uri, "ml"); got != want {
			t.Errorf("%s: got %s, want %s", uri, got, want)
		}
	}
}
