package main

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	agentv1alpha1 "github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry/store"
)

// cluster says which Kubernetes cluster is meant, by kubectl's own flags.
type cluster struct {
	kubeconfig, context, namespace string
}

func (c *cluster) addFlags(f *pflag.FlagSet) {
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file (env KUBECONFIG)")
	f.StringVar(&c.context, "context", "", "context of the kubeconfig")
	f.StringVarP(&c.namespace, "namespace", "n", "", "namespace; by default the context's")
}

func (c *cluster) loader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.context}
	overrides.Context.Namespace = c.namespace
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
}

// inNamespace is the namespace that is meant; no cluster has to be there.
func (c *cluster) inNamespace() (string, error) {
	namespace, _, err := c.loader().Namespace()
	return namespace, err
}

// namespaceIfAny is the namespace that is meant, empty where nothing says one.
func (c *cluster) namespaceIfAny() (string, error) {
	namespace, err := c.inNamespace()
	if clientcmd.IsEmptyConfig(err) {
		return c.namespace, nil
	}
	return namespace, err
}

// config says how the cluster is reached, and the namespace.
func (c *cluster) config() (*rest.Config, string, error) {
	loader := c.loader()
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", err
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, "", err
	}
	config.Timeout = 30 * time.Second
	config.QPS, config.Burst = 50, 100
	return config, namespace, nil
}

// connect returns a client that reads from the server, and the namespace.
func (c *cluster) connect() (client.WithWatch, string, error) {
	log.SetLogger(logr.Discard()) // else controller-runtime complains that nobody did
	config, namespace, err := c.config()
	if err != nil {
		return nil, "", err
	}
	scheme := runtime.NewScheme()
	if err := store.AddToScheme(scheme); err != nil {
		return nil, "", err
	}
	if err := agentv1alpha1.AddToScheme(scheme); err != nil {
		return nil, "", err
	}
	k, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	return k, namespace, err
}

// user is the name that the cluster knows this user by.
func (c *cluster) user(ctx context.Context) (string, error) {
	k, _, err := c.connect()
	if err != nil {
		return "", err
	}
	review := &authenticationv1.SelfSubjectReview{}
	if err := k.Create(ctx, review); err != nil {
		return "", err
	}
	return review.Status.UserInfo.Username, nil
}
