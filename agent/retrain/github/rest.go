package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/agent/retrain/github/answer"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const (
	// maxAnswer bounds an answer: a page of runs has some 20 KB each.
	maxAnswer = 4 << 20
	perPage   = 50
	// maxPages: of a search GitHub gives the first 1,000 runs.
	maxPages = 1000 / perPage
	// version of the API that all servers know that are still supported. The next
	// one names the run of each dispatch, and is unknown to older servers.
	version  = "2022-11-28"
	maxToken = 4096
)

// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=leeway-github,verbs=get,roleName=leeway-actor

// account is a token, and what it is called where people look.
type account struct {
	token string
	// secret is "NAMESPACE/NAME", key the key in it.
	secret, key string
}

func (a account) String() string { return fmt.Sprintf("key %s of secret %s", a.key, a.secret) }

// account reads the token of an order.
func (w *Workflows) account(ctx context.Context, o retrain.Order) (account, error) {
	if o.GitHub == nil {
		return account{}, refusal("the guard names no workflow any more: put spec.retrain.github back, or wait for the training's timeout")
	}
	ref := tokenSecret(o.GitHub)
	a := account{secret: o.Namespace + "/" + ref.Name, key: ref.Key}
	var s corev1.Secret
	err := w.Live.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: ref.Name}, &s)
	switch {
	case apierrors.IsNotFound(err):
		return a, refusal("secret %s is not there: create it with the token in key %s", a.secret, a.key)
	case apierrors.IsForbidden(err):
		return a, refusal("Leeway may not read secret %s: bind leeway-actor in the namespace, and for another name than leeway-github a Role that allows to get this one secret", a.secret)
	case err != nil:
		return a, fmt.Errorf("read secret %s: %w", a.secret, err)
	}
	a.token = strings.TrimSpace(string(s.Data[ref.Key]))
	if a.token == "" {
		return a, refusal("%s is empty: put the token there", a)
	}
	if len(a.token) > maxToken || strings.ContainsFunc(a.token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return a, refusal("%s is not a token: it must be a single word of at most %d letters, digits and signs", a, maxToken)
	}
	return a, nil
}

// tokenSecret has the defaults that the API server gives.
func tokenSecret(g *v1alpha1.GitHubWorkflow) v1alpha1.SecretKey {
	k := g.TokenSecret
	if k.Name == "" {
		k.Name = "leeway-github"
	}
	if k.Key == "" {
		k.Key = "token"
	}
	return k
}

// refusal is a Trouble that a person has to mend.
func refusal(format string, a ...any) *retrain.Trouble {
	return &retrain.Trouble{Refused: true, Err: fmt.Errorf(format, a...)}
}

// reply is what GitHub said.
type reply struct {
	status int
	header http.Header
	body   []byte
	// said is its message in case of an error.
	said string
}

// ask sends one request. Its error is a Trouble: a limit that has to be waited
// for, or no whole answer; then NotStarted says whether it surely did nothing.
func (w *Workflows) ask(ctx context.Context, a account, method, path string, query url.Values, body any) (reply, error) {
	if until := w.memory.until(a.secret+"/"+a.key, w.Now()); !until.IsZero() {
		return reply{}, waits(until)
	}
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	r, err := w.request(ctx, a, method, path, query, body)
	if err != nil {
		return reply{}, err
	}
	response, err := w.client.Do(r)
	if err != nil {
		return reply{}, &retrain.Trouble{NotStarted: !sent.Load(), Err: fmt.Errorf("%s did not answer: %w", w.base.Host, err)}
	}
	defer response.Body.Close()
	got := reply{status: response.StatusCode, header: response.Header}
	got.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if len(got.body) > maxAnswer {
		err = fmt.Errorf("more than %d bytes", maxAnswer)
	}
	if err != nil && got.status/100 == 2 {
		return got, &retrain.Trouble{Err: fmt.Errorf("%s %s: answer %d can't be read: %w", method, path, got.status, err)}
	}
	if got.status/100 != 2 {
		got.said = answer.Said(got.body, a.token)
	}
	now := w.Now()
	if wait, told, ok := answer.Limited(got.status, got.header, got.said, now); ok {
		return got, waits(w.memory.wait(a.secret+"/"+a.key, now, wait, told))
	}
	w.memory.served(a.secret + "/" + a.key)
	if got.status == http.StatusRequestTimeout || got.status >= 500 {
		return got, &retrain.Trouble{Err: fmt.Errorf("%s answered %d%s", w.base.Host, got.status, quoted(got.said))}
	}
	return got, nil
}

var errLimited = errors.New("GitHub's rate limit is used up")

func waits(until time.Time) *retrain.Trouble {
	return &retrain.Trouble{NotStarted: true, Err: fmt.Errorf("%w: it is asked again at %s", errLimited, until.UTC().Format(time.TimeOnly+"Z"))}
}

func (w *Workflows) request(ctx context.Context, a account, method, path string, query url.Values, body any) (*http.Request, error) {
	u := *w.base
	u.Path += path
	u.RawQuery = query.Encode()
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode a request: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("X-GitHub-Api-Version", version)
	r.Header.Set("User-Agent", "leeway")
	r.Header.Set("Authorization", "Bearer "+a.token)
	return r, nil
}

// refused says what to check when GitHub says no.
func refused(got reply, a account, repository, workflow, ref string) *retrain.Trouble {
	why := quoted(got.said)
	switch {
	case got.status == http.StatusUnauthorized:
		return refusal("GitHub takes the token for none (401%s): put a valid one into %s; it may have expired or been revoked", why, a)
	case got.status == http.StatusForbidden:
		return refusal("the token in %s may not do this in %s (403%s): it needs the permission Actions, read and write, for this repository, and an organisation may have to approve it", a, repository, why)
	case got.status == http.StatusNotFound:
		return refusal("%s, or workflow %s in it, is not there for the token in %s (404%s): check spec.retrain.github, that the token is for this repository with the permission Actions, read and write, and that the workflow is on the default branch", repository, workflow, a, why)
	case got.status/100 == 3:
		return refusal("%s has moved (%d%s): put its new name into spec.retrain.github.repository", repository, got.status, why)
	case got.status == http.StatusUnprocessableEntity:
		return refusal("GitHub does not take the dispatch of %s on %s (422%s): the workflow needs \"on: workflow_dispatch\" there, with the inputs %s", workflow, ref, why, strings.Join(inputNames(), ", "))
	}
	return refusal("GitHub refuses (%d%s): check spec.retrain.github", got.status, why)
}

func quoted(said string) string {
	if said == "" {
		return ""
	}
	return ": " + said
}
