package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/examples/flights/bucket"
	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/replay"
	"github.com/leeway-dev/leeway/examples/flights/retrain"
	registryv1alpha1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

func connect(kubeconfig string) (client.Client, kubernetes.Interface, error) {
	log.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	config.QPS, config.Burst = 100, 200
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, v1alpha1.AddToScheme, registryv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, nil, err
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	return c, clients, err
}

// api calls Leeway's API with a token of the service account that may send
// labels and read.
type api struct {
	demo *demo
	mu   sync.Mutex
	// token and when it was made.
	token string
	made  time.Time
}

func (a *api) bearer(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != "" && time.Since(a.made) < 10*time.Minute {
		return a.token, nil
	}
	r, err := a.demo.clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "flights-labels",
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{Audiences: []string{"leeway"}}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	a.token, a.made = r.Status.Token, time.Now()
	return a.token, nil
}

func (a *api) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	token, err := a.bearer(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, a.demo.leewayURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, b)
	}
	return b, err
}

// firing names the alerts that Leeway may act on and that fire now.
func (a *api) firing(ctx context.Context) ([]string, error) {
	b, err := a.do(ctx, http.MethodGet, "/api/v1/query?query="+url.QueryEscape(`ALERTS{alertstate="firing", leeway_cause!=""}`), nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, err
	}
	var names []string
	for _, r := range answer.Data.Result {
		names = append(names, fmt.Sprintf("%s version %s %s", r.Metric["alertname"], r.Metric["model_version"], r.Metric["feature"]))
	}
	return names, nil
}

// feedback posts labels until they are taken.
func (a *api) feedback(ctx context.Context, labels []replay.Label) {
	for i := range labels {
		labels[i].Namespace, labels[i].Model = namespace, "flights"
	}
	body, err := json.Marshal(labels)
	for err == nil && ctx.Err() == nil {
		if _, err := a.do(ctx, http.MethodPost, "/leeway/v1/feedback", body); err == nil {
			return
		} else if ctx.Err() == nil {
			a.demo.report.note("labels not taken, tried again: %v", err)
		}
		time.Sleep(time.Second)
	}
}

// rowsInto puts labelled rows where the trainer finds them.
func rowsInto(store *bucket.Client) func(context.Context, time.Time, []data.Flight) {
	return func(ctx context.Context, sent time.Time, flights []data.Flight) {
		var b bytes.Buffer
		if err := data.WriteCSV(&b, flights); err != nil {
			return
		}
		uri := fmt.Sprintf("%s%d.csv", retrain.Labelled, sent.UnixMilli())
		for ctx.Err() == nil && store.Put(ctx, uri, b.Bytes()) != nil {
			time.Sleep(time.Second)
		}
	}
}
