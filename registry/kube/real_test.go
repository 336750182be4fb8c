package kube_test

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// realEnv names a kubeconfig of a cluster that has Leeway's custom resources,
// and whose user may make namespaces.
const realEnv = "LEEWAY_TEST_KUBECONFIG"

// TestRealAPIServer runs the suite against a real API server, whose admission,
// validation and conflicts no fake has. The end-to-end tests run it so.
func TestRealAPIServer(t *testing.T) {
	c := realClient(t)
	var namespace string
	registrytest.Run(t, func(t *testing.T) func() registry.Store {
		namespace = makeNamespace(t, c)
		s := kube.New(c, namespace, time.Now)
		return func() registry.Store { return s }
	}, func() registrytest.Options {
		ns := namespace
		return registrytest.Options{Registrars: 8, Each: 3, Delete: func(t *testing.T, model string, number int64) {
			o := &v1alpha1.ModelVersion{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: kube.Name(model, number)}}
			if err := c.Delete(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}}
	})
}

// realClient reads from the API server that is to be tested against.
func realClient(t *testing.T) client.WithWatch {
	t.Helper()
	path := os.Getenv(realEnv)
	if path == "" {
		t.Skip(realEnv + " is not set: it names the kubeconfig of a cluster to test against")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 500, 500 // the race is the test, not the waiting
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// makeNamespace makes one that goes with the test.
func makeNamespace(t *testing.T, c client.Client) string {
	t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "registry-"}}
	if err := c.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(context.Background(), n); err != nil {
			t.Error(err)
		}
	})
	return n.Name
}
