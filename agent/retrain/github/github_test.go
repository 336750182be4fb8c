package github_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/agent/retrain/github"
	"github.com/leeway-dev/leeway/agent/retrain/github/githubtest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const (
	token    = "github_pat_0123456789"
	decision = "churn-0123456789"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bench is a trigger with its server, and the journal of one decision.
type bench struct {
	t       *testing.T
	now     time.Time
	server  *githubtest.Server
	kube    client.Client
	trigger *github.Workflows
	order   retrain.Order
	notes   []string
}

func newBench(t *testing.T, change ...func(*githubtest.Config)) *bench {
	t.Helper()
	b := &bench{t: t, now: began.Add(time.Second)}
	c := githubtest.Config{
		Repository: "acme/churn", Workflow: "retrain.yaml", Token: token, Ref: "main", Now: b.now, Delay: 3 * time.Second,
		Inputs: []string{"leeway_decision", "leeway_model", "leeway_parent_version", "leeway_window_from", "leeway_window_to"},
	}
	for _, f := range change {
		f(&c)
	}
	b.server = githubtest.New(c)
	t.Cleanup(b.server.Close)
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b.kube = fake.NewClientBuilder().WithScheme(scheme).Build()
	b.secret(token + "\n")
	b.restart()
	b.order = retrain.Order{
		Namespace: "ml", Decision: decision, Model: "churn", Parent: "7", From: began.Add(-time.Hour), To: began,
		GitHub: &v1alpha1.GitHubWorkflow{Repository: "acme/churn", Workflow: "retrain.yaml", Ref: "main"},
	}
	b.order.Note = func(_ context.Context, name, _ string) (time.Time, error) {
		b.notes = append(b.notes, name)
		b.order.Noted, b.order.Notes = b.now, b.order.Notes+1
		return b.now, nil
	}
	return b
}

func (b *bench) secret(value string) {
	b.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: "leeway-github"}, Data: map[string][]byte{"token": []byte(value)}}
	_ = b.kube.Delete(b.t.Context(), s)
	s.ResourceVersion = ""
	if err := b.kube.Create(b.t.Context(), s); err != nil {
		b.t.Fatal(err)
	}
}

// restart begins with a new leader, which remembers nothing.
func (b *bench) restart() {
	b.t.Helper()
	var err error
	b.trigger, err = github.New(github.Config{URL: b.server.URL, Live: b.kube, Now: func() time.Time { return b.now }})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) pass(d time.Duration) {
	b.now = b.now.Add(d)
	b.server.SetNow(b.now)
}

func (b *bench) start() (string, error) { return b.trigger.Start(b.t.Context(), b.order) }

func (b *bench) started() string {
	b.t.Helper()
	name, err := b.start()
	if err != nil {
		b.t.Fatal(err)
	}
	return name
}

// trouble is that of an error; the zero one where it is none.
func trouble(err error) retrain.Trouble {
	var t *retrain.Trouble
	if errors.As(err, &t) {
		return *t
	}
	return retrain.Trouble{}
}

func (b *bench) wantLook(name string, want retrain.State, said string) {
	b.t.Helper()
	got, err := b.trigger.Look(b.t.Context(), b.order, name)
	if err != nil || got.State != want || !strings.Contains(got.Message, said) {
		b.t.Fatalf("%+v, %v; want %s, %q", got, err, want, said)
	}
}

func TestDispatchAndWatch(t *testing.T) {
	b := newBench(t)
	name := b.started()
	runs := b.server.Runs()
	if len(runs) != 1 || name != fmt.Sprintf("acme/churn/actions/runs/%d", runs[0].ID) || len(b.notes) != 1 {
		t.Fatal(name, runs, b.notes)
	}
	want := map[string]string{
		"leeway_decision": decision, "leeway_model": "churn", "leeway_parent_version": "7",
		"leeway_window_from": "2026-03-01T11:00:00Z", "leeway_window_to": "2026-03-01T12:00:00Z",
	}
	for k, v := range want {
		if runs[0].Inputs[k] != v {
			t.Errorf("%s is %q, want %q", k, runs[0].Inputs[k], v)
		}
	}
	b.wantLook(name, retrain.Running, "has not shown up yet")
	b.pass(10 * time.Second)
	b.wantLook(name, retrain.Running, "queued")
	asked := len(b.server.Requests())
	b.pass(time.Second)
	b.wantLook(name, retrain.Running, "queued")
	if len(b.server.Requests()) != asked {
		t.Error("it is asked each second")
	}
	for _, tt := range []struct {
		status, conclusion, said string
		want                     retrain.State
	}{
		{"in_progress", "", "in_progress", retrain.Running},
		{"waiting", "", "waiting", retrain.Running},
		{"completed", "success", "completed: success", retrain.Complete},
		{"completed", "failure", "completed: failure", retrain.Failed},
		{"completed", "cancelled", "completed: cancelled", retrain.Failed},
		{"completed", "timed_out", "completed: timed_out", retrain.Failed},
		{"completed", "skipped", "completed: skipped", retrain.Failed},
	} {
		b.server.Set(runs[0].ID, tt.status, tt.conclusion)
		b.pass(time.Minute)
		b.wantLook(name, tt.want, tt.said)
	}
	b.server.Delete(runs[0].ID)
	b.pass(time.Minute)
	b.wantLook(name, retrain.Gone, "is gone")
}

// An older server neither knows return_run_details nor says which run it is.
func TestOlderServer(t *testing.T) {
	b := newBench(t, func(c *githubtest.Config) { c.Legacy = true })
	name := b.started()
	if name != "acme/churn/actions/workflows/retrain.yaml" || len(b.notes) != 1 {
		t.Fatal(name, b.notes)
	}
	b.wantLook(name, retrain.Running, "has not shown up yet")
	b.pass(10 * time.Second)
	got, err := b.trigger.Look(t.Context(), b.order, name)
	if run := b.server.Runs()[0]; err != nil || got.Name != fmt.Sprintf("acme/churn/actions/runs/%d", run.ID) || len(b.server.Runs()) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Whatever became of a dispatch, the next leader finds its run, or that there is
// none; there never are two.
func TestOnce(t *testing.T) {
	for name, lose := range map[string]func(*bench){
		"answer is lost": func(b *bench) {
			b.server.Next("POST", githubtest.Answer{Done: true})
			if _, err := b.start(); trouble(err).NotStarted || trouble(err).Err == nil {
				b.t.Fatal(err)
			}
		},
		"gateway gives up": func(b *bench) {
			b.server.Next("POST", githubtest.Answer{Done: true, Status: http.StatusBadGateway, Message: "Server Error"})
			if _, err := b.start(); trouble(err).NotStarted || trouble(err).Err == nil {
				b.t.Fatal(err)
			}
		},
		"killed before it": func(b *bench) {
			_, _ = b.order.Note(b.t.Context(), "", "")
		},
		"killed after it": func(b *bench) { b.started() },
		"request is lost": func(b *bench) {
			b.server.Next("POST", githubtest.Answer{})
			if _, err := b.start(); trouble(err).NotStarted || trouble(err).Err == nil {
				b.t.Fatal(err)
			}
		},
	} {
		for _, legacy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, legacy %v", name, legacy), func(t *testing.T) {
				b := newBench(t, func(c *githubtest.Config) { c.Legacy, c.Delay = legacy, 50*time.Second })
				b.server.Add(githubtest.Run{Title: "Retrain", Created: began.Add(-time.Hour)}) // long before
				b.server.Add(githubtest.Run{Title: "fraud-0123456789", Created: began})        // another decision's
				b.server.Add(githubtest.Run{Title: "x" + decision, Created: began})
				lose(b)
				b.restart()
				var got string
				for range 200 {
					b.pass(time.Second)
					name, err := b.start()
					if err == nil {
						got = name
						break
					}
					if trouble(err).Err == nil || trouble(err).NotStarted || trouble(err).Refused {
						t.Fatal(err)
					}
				}
				runs := b.server.Runs()
				if len(runs) != 4 || runs[3].Title != decision {
					t.Fatalf("%+v", runs)
				}
				if want := fmt.Sprintf("acme/churn/actions/runs/%d", runs[3].ID); got != want && !(legacy && got == "acme/churn/actions/workflows/retrain.yaml") {
					t.Errorf("found %s, want %s", got, want)
				}
			})
		}
	}
}

// A leader that was stopped between the line in the journal and the dispatch must
// not send it when it wakes: its successor may have.
func TestLateDispatchIsNotSent(t *testing.T) {
	b := newBench(t)
	note := b.order.Note
	b.order.Note = func(ctx context.Context, name, message string) (time.Time, error) {
		at, err := note(ctx, name, message)
		b.pass(time.Minute)
		return at, err
	}
	if _, err := b.start(); !trouble(err).NotStarted || trouble(err).Refused || len(b.server.Runs()) != 0 {
		t.Error(err, b.server.Runs())
	}
	b.restart()
	b.order.Note = func(context.Context, string, string) (time.Time, error) { return time.Time{}, errors.New("conflict") }
	b.order.Noted, b.order.Notes = time.Time{}, 0
	if _, err := b.start(); err == nil || err.Error() != "conflict" || len(b.server.Runs()) != 0 {
		t.Error("dispatched without a line in the journal")
	}
}

// GitHub that answers nothing clear gets three dispatches, not one every two minutes.
func TestDispatchesAreBounded(t *testing.T) {
	b := newBench(t)
	for range 20 {
		b.server.Next("POST", githubtest.Answer{Status: http.StatusBadGateway})
	}
	var last error
	for range 60 {
		b.pass(time.Minute)
		_, last = b.start()
	}
	if len(b.notes) != 3 || !strings.Contains(last.Error(), "of 3 dispatches") {
		t.Error(len(b.notes), last)
	}
}

// Without a run-name a run can't be told from others: then none is dispatched again.
func TestUntitledWorkflow(t *testing.T) {
	b := newBench(t, func(c *githubtest.Config) { c.Untitled = true })
	b.started()
	b.restart()
	b.pass(10 * time.Minute)
	if _, err := b.start(); !trouble(err).Refused || trouble(err).NotStarted || !strings.Contains(err.Error(), "run-name") || len(b.server.Runs()) != 1 {
		t.Error(err, b.server.Runs())
	}
}

// More runs than a page, and than GitHub gives: the search goes on to its bound.
func TestSearchIsPaged(t *testing.T) {
	b := newBench(t)
	b.started()
	for i := range 170 {
		b.server.Add(githubtest.Run{Title: fmt.Sprintf("fraud-%010x", i), Created: b.now})
	}
	b.restart()
	b.pass(10 * time.Second)
	if name := b.started(); name != fmt.Sprintf("acme/churn/actions/runs/%d", b.server.Runs()[0].ID) {
		t.Error(name)
	}
	for i := range 1100 {
		b.server.Add(githubtest.Run{Title: fmt.Sprintf("price-%010x", i), Created: b.now})
	}
	b.restart()
	b.pass(10 * time.Second)
	before := len(b.server.Requests())
	if _, err := b.start(); trouble(err).Err == nil {
		t.Error(err)
	}
	if n := len(b.server.Requests()) - before; n != 20 {
		t.Errorf("%d pages", n)
	}
}

func TestRateLimits(t *testing.T) {
	header := func(kv ...string) map[string]string {
		h := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			h[kv[i]] = kv[i+1]
		}
		return h
	}
	reset := func(after time.Duration) string { return strconv.FormatInt(began.Add(time.Second+after).Unix(), 10) }
	secondary := "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
	for _, tt := range []struct {
		name   string
		answer githubtest.Answer
		waits  time.Duration
	}{
		{"primary", githubtest.Answer{Status: 403, Message: "API rate limit exceeded for user ID 1.", Header: header("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset(20*time.Minute))}, 20 * time.Minute},
		{"primary, 429", githubtest.Answer{Status: 429, Header: header("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset(time.Minute))}, time.Minute},
		{"secondary", githubtest.Answer{Status: 403, Message: secondary, Header: header("Retry-After", "90")}, 90 * time.Second},
		{"secondary, 429", githubtest.Answer{Status: 429, Message: secondary, Header: header("Retry-After", "30")}, 30 * time.Second},
		{"secondary that does not say", githubtest.Answer{Status: 403, Message: secondary}, time.Minute},
		{"beyond reason", githubtest.Answer{Status: 429, Header: header("Retry-After", "999999")}, 65 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.server.Next("POST", tt.answer)
			_, err := b.start()
			if got := trouble(err); !got.NotStarted || got.Refused {
				t.Fatal(err)
			}
			b.order.Noted, b.order.Notes = time.Time{}, 0 // as the guard notes it
			b.pass(tt.waits - time.Second)
			if _, err := b.start(); !trouble(err).NotStarted || len(b.server.Requests()) != 1 || len(b.notes) != 1 {
				t.Error("not waited for", err, b.server.Requests())
			}
			b.pass(2 * time.Second)
			name := b.started()

			// While a run is watched: the same, and it is no failed training.
			b.pass(10 * time.Second)
			b.server.Next("GET", tt.answer)
			if _, err := b.trigger.Look(t.Context(), b.order, name); trouble(err).Err == nil || trouble(err).Refused || trouble(err).NotStarted {
				t.Error(err)
			}
			b.pass(2 * time.Hour)
			b.wantLook(name, retrain.Running, "queued")
		})
	}
}

// A limit that does not say how long it is doubles, until GitHub serves again.
func TestSecondaryLimitsDouble(t *testing.T) {
	b := newBench(t)
	limit := githubtest.Answer{Status: 429}
	b.server.Next("POST", limit, limit, limit)
	var at []time.Duration
	for range 600 {
		before := len(b.server.Requests())
		b.order.Noted, b.order.Notes = time.Time{}, 0
		_, err := b.start()
		if len(b.server.Requests()) > before {
			at = append(at, b.now.Sub(began)-time.Second)
		}
		if err == nil {
			break
		}
		b.pass(time.Second)
	}
	if want := []time.Duration{0, time.Minute, 3 * time.Minute, 7 * time.Minute}; !slices.Equal(at, want) {
		t.Errorf("asked at %v, want %v", at, want)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*bench)
		said string
	}{
		{"bad token", func(b *bench) { b.secret("github_pat_other") }, "(401: Bad credentials): put a valid one into key token of secret ml/leeway-github"},
		{"no right", func(b *bench) {
			b.server.Next("POST", githubtest.Answer{Status: 403, Message: "Resource not accessible by personal access token"})
		}, "needs the permission Actions, read and write"},
		{"no repository", func(b *bench) { b.order.GitHub.Repository = "acme/none" }, "acme/none, or workflow retrain.yaml in it, is not there for the token"},
		{"no ref", func(b *bench) { b.order.GitHub.Ref = "none" }, "No ref found for: none"},
		{"no input", func(b *bench) { b.server.Change(func(c *githubtest.Config) { c.Inputs = c.Inputs[:2] }) }, "with the inputs leeway_decision, leeway_model, leeway_parent_version, leeway_window_from, leeway_window_to"},
		{"moved", func(b *bench) { b.server.Next("POST", githubtest.Answer{Status: 301, Message: "Moved Permanently"}) }, "has moved"},
		{"no secret", func(b *bench) {
			b.order.GitHub.TokenSecret = v1alpha1.SecretKey{Name: "other", Key: "t"}
		}, "secret ml/other is not there: create it with the token in key t"},
		{"no key", func(b *bench) { b.order.GitHub.TokenSecret = v1alpha1.SecretKey{Key: "t"} }, "key t of secret ml/leeway-github is empty"},
		{"no token", func(b *bench) { b.secret("two\nlines") }, "is not a token"},
		{"the server repeats the token", func(b *bench) {
			b.server.Next("POST", githubtest.Answer{Status: 400, Message: strings.Repeat("x", 280) + "$AUTHORIZATION"})
		}, "refuses (400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			tt.do(b)
			_, err := b.start()
			if got := trouble(err); !got.NotStarted || !got.Refused || !strings.Contains(err.Error(), tt.said) {
				t.Errorf("%v\nwant %s", err, tt.said)
			}
			if strings.Contains(err.Error(), token[:12]) || strings.Contains(err.Error(), "github_pat") || len(err.Error()) > 900 {
				t.Errorf("says too much: %v", err)
			}
			if len(b.server.Runs()) != 0 {
				t.Error("a run was started")
			}
		})
	}
}

// A token that stops working while a run goes on is no failed training, and
// neither is a server that is down.
func TestTroubleWhileItRuns(t *testing.T) {
	b := newBench(t)
	name := b.started()
	b.pass(10 * time.Second)
	b.secret("expired")
	_, err := b.trigger.Look(t.Context(), b.order, name)
	if got := trouble(err); !got.Refused || got.NotStarted || !strings.Contains(err.Error(), "401") {
		t.Error(err)
	}
	b.secret(token)
	b.server.Change(func(c *githubtest.Config) { c.Repository = "acme/renamed" })
	b.pass(10 * time.Minute)
	if _, err := b.trigger.Look(t.Context(), b.order, name); !trouble(err).Refused || !strings.Contains(err.Error(), "404") {
		t.Error(err)
	}
	b.server.Change(func(c *githubtest.Config) { c.Repository = "acme/churn" })
	b.pass(10 * time.Minute)
	b.server.Next("GET", githubtest.Answer{Status: 503})
	if _, err := b.trigger.Look(t.Context(), b.order, name); trouble(err).Err == nil || trouble(err).Refused {
		t.Error(err)
	}
	b.pass(10 * time.Minute)
	b.wantLook(name, retrain.Running, "queued")
	b.server.Close()
	b.pass(10 * time.Minute)
	if _, err := b.trigger.Look(t.Context(), b.order, name); trouble(err).Err == nil || trouble(err).Refused || !strings.Contains(err.Error(), "did not answer") {
		t.Error(err)
	}
}

// What can't be reached has surely taken nothing.
func TestServerIsDown(t *testing.T) {
	b := newBench(t)
	b.server.Close()
	for range 100 {
		b.order.Noted, b.order.Notes = time.Time{}, 0
		if _, err := b.start(); !trouble(err).NotStarted || trouble(err).Refused {
			t.Error(err)
		}
		b.now = b.now.Add(time.Second)
	}
	if len(b.notes) != 2 {
		t.Errorf("%d lines in the journal within 100 s", len(b.notes))
	}
}

func TestURL(t *testing.T) {
	for url, ok := range map[string]bool{
		github.DefaultURL: true, "https://ghe.example.com/api/v3/": true, "http://127.0.0.1:1": true, "http://localhost:1": true, "http://[::1]:1": true,
		"http://ghe.example.com": false, "http://127.0.0.1.example.com": false, "ftp://localhost": false, "": false, "api.github.com": false,
		"https://user:secret@ghe.example.com": false, "https://ghe.example.com?x=1": false,
	} {
		u, err := github.ParseURL(url)
		if (err == nil) != ok {
			t.Errorf("%q: %v %v", url, u, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret@") {
			t.Error(err)
		}
	}
}
