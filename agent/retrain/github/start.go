package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/agent/retrain/github/answer"
)

// inputNames are those of the workflow: LEEWAY_MODEL is leeway_model.
func inputNames() []string {
	var names []string
	for _, in := range (retrain.Order{}).Inputs() {
		names = append(names, strings.ToLower(in[0]))
	}
	return names
}

// Start dispatches the workflow of an order, or finds its run.
func (w *Workflows) Start(ctx context.Context, o retrain.Order) (string, error) {
	key := o.Namespace + "/" + o.Decision
	if h, ok := w.memory.last(key, w.Now()); ok {
		return "", h.err
	}
	name, err := w.start(ctx, o)
	var trouble *retrain.Trouble
	if errors.As(err, &trouble) && !errors.Is(err, errLimited) { // a limit keeps itself
		age := w.Now().Sub(o.To)
		if trouble.NotStarted { // the next try is a line in the journal
			age = time.Hour
		}
		w.memory.keep(key, w.Now(), age, retrain.Status{}, trouble)
	}
	return name, err
}

func (w *Workflows) start(ctx context.Context, o retrain.Order) (string, error) {
	a, err := w.account(ctx, o)
	if err != nil {
		return "", asOf(err, o.Noted.IsZero())
	}
	if !o.Noted.IsZero() { // something may have come of that
		r, untitled, err := w.find(ctx, a, o, o.GitHub.Repository, o.GitHub.Workflow)
		switch {
		case err != nil:
			return "", asOf(err, false)
		case r != nil:
			return runName(o.GitHub.Repository, r.ID), nil
		case w.Now().Sub(o.Noted) < settle:
			return "", &retrain.Trouble{Err: fmt.Errorf("whether GitHub took the dispatch of %s is not known: a run that is named %s is waited for", o.GitHub.Workflow, o.Decision)}
		case untitled != 0:
			return "", nameless(o.GitHub.Workflow, untitled)
		case o.Notes >= maxNotes:
			return "", &retrain.Trouble{Err: fmt.Errorf("of %d dispatches of %s nothing was heard, and no run is named %s", o.Notes, o.GitHub.Workflow, o.Decision)}
		}
	}
	if until := w.memory.until(a.secret+"/"+a.key, w.Now()); !until.IsZero() {
		return "", waits(until)
	}
	noted, err := o.Note(ctx, workflowName(o.GitHub.Repository, o.GitHub.Workflow), fmt.Sprintf("dispatch workflow %s of %s on %s", o.GitHub.Workflow, o.GitHub.Repository, o.GitHub.Ref))
	if err != nil {
		return "", err
	}
	return w.dispatch(ctx, a, o, noted)
}

// dispatch sends what was noted a moment ago.
func (w *Workflows) dispatch(ctx context.Context, a account, o retrain.Order, noted time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	inputs := map[string]string{}
	for _, in := range o.Inputs() {
		inputs[strings.ToLower(in[0])] = in[1]
	}
	path := "/repos/" + o.GitHub.Repository + "/actions/workflows/" + o.GitHub.Workflow + "/dispatches"
	body := map[string]any{"ref": o.GitHub.Ref, "inputs": inputs, "return_run_details": true}
	for {
		if late := w.Now().Round(0).Sub(noted); late > sendWithin { // Round: by the wall, for the other clock stops with the machine
			return "", &retrain.Trouble{NotStarted: true, Err: fmt.Errorf("the dispatch was not sent: %s have passed since it was noted", late.Round(time.Second))}
		}
		got, err := w.ask(ctx, a, http.MethodPost, path, nil, body)
		switch {
		case got.status/100 == 2: // also if the rest of the answer was lost: it was taken
			if id := answer.ParseDispatched(got.body); id > 0 {
				return runName(o.GitHub.Repository, id), nil
			}
			return workflowName(o.GitHub.Repository, o.GitHub.Workflow), nil
		case err != nil:
			return "", err
		case body["return_run_details"] != nil && isUnknownKey(got):
			delete(body, "return_run_details") // an older server, which refused all of it
			continue
		}
		return "", asOf(refused(got, a, o.GitHub.Repository, o.GitHub.Workflow, o.GitHub.Ref), true)
	}
}

// isUnknownKey: GitHub Enterprise Server before 3.21 says 'Invalid request.
// "return_run_details" is not a permitted key.'
func isUnknownKey(got reply) bool {
	return (got.status == http.StatusUnprocessableEntity || got.status == http.StatusBadRequest) && strings.Contains(got.said, "return_run_details")
}

// asOf gives a Trouble what is known of whether something was started.
func asOf(err error, notStarted bool) error {
	var t *retrain.Trouble
	if !errors.As(err, &t) {
		return err
	}
	return &retrain.Trouble{Refused: t.Refused, NotStarted: notStarted, Err: t.Err}
}

// find looks for the run of an order by its nonce, among those that were created
// since the decision. Where there is none, it says which run has no decision's
// name, if one hasn't.
func (w *Workflows) find(ctx context.Context, a account, o retrain.Order, repository, workflow string) (found *answer.Run, untitled int64, err error) {
	query := url.Values{
		"event": {"workflow_dispatch"}, "created": {">=" + o.To.Add(-skew).UTC().Format(time.RFC3339)},
		"exclude_pull_requests": {"true"}, "per_page": {strconv.Itoa(perPage)},
	}
	for page := 1; page <= maxPages; page++ {
		query.Set("page", strconv.Itoa(page))
		got, err := w.ask(ctx, a, http.MethodGet, "/repos/"+repository+"/actions/workflows/"+workflow+"/runs", query, nil)
		if err != nil {
			return nil, 0, err
		}
		if got.status != http.StatusOK {
			return nil, 0, refused(got, a, repository, workflow, "")
		}
		runs, err := answer.ParseRuns(got.body)
		if err != nil {
			return nil, 0, &retrain.Trouble{Err: fmt.Errorf("runs of %s: %w", repository, err)}
		}
		for _, r := range runs {
			if r.Of(o.Decision) && (found == nil || r.ID < found.ID) {
				found = &r
			}
			if r.Untitled() {
				untitled = r.ID
			}
		}
		if len(runs) < perPage {
			break
		}
	}
	return found, untitled, nil
}

// nameless says what keeps a run from being found.
func nameless(workflow string, run int64) *retrain.Trouble {
	return refusal("which run of %s is the training's can't be told, and it may be run %d, which has no decision's name: give the workflow \"run-name: ${{ inputs.leeway_decision }}\"", workflow, run)
}

// runName is what a run is called, below github.com too.
func runName(repository string, id int64) string {
	return repository + "/actions/runs/" + strconv.FormatInt(id, 10)
}

// workflowName stands for a run that is not known yet.
func workflowName(repository, workflow string) string {
	return repository + "/actions/workflows/" + workflow
}

// parseName takes either apart; id is 0 for a run that is not known.
func parseName(name string) (repository, workflow string, id int64, err error) {
	repository, rest, ok := strings.Cut(name, "/actions/")
	kind, what, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || what == "" {
		return "", "", 0, fmt.Errorf("%q is not the name of a run", name)
	}
	if kind == "workflows" {
		return repository, what, 0, nil
	}
	if id, err = strconv.ParseInt(what, 10, 64); err != nil || id <= 0 || kind != "runs" {
		return "", "", 0, fmt.Errorf("%q is not the name of a run", name)
	}
	return repository, "", id, nil
}
