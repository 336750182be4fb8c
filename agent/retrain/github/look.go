package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/agent/retrain/github/answer"
)

// Look sees where a run stands, or looks for it first.
func (w *Workflows) Look(ctx context.Context, o retrain.Order, name string) (retrain.Status, error) {
	if h, ok := w.memory.last(name+"#"+o.Decision, w.Now()); ok {
		return h.status, h.err
	}
	s, err := w.look(ctx, o, name)
	var trouble *retrain.Trouble
	if errors.As(err, &trouble) {
		err = asOf(trouble, false)
	}
	if err == nil || trouble != nil {
		w.memory.keep(name+"#"+o.Decision, w.Now(), w.Now().Sub(o.Noted), s, err)
	}
	return s, err
}

func (w *Workflows) look(ctx context.Context, o retrain.Order, name string) (retrain.Status, error) {
	repository, workflow, id, err := parseName(name)
	if err != nil {
		return retrain.Status{}, refusal("%w", err)
	}
	a, err := w.account(ctx, o)
	if err != nil {
		return retrain.Status{}, err
	}
	if id == 0 {
		r, untitled, err := w.find(ctx, a, o, repository, workflow)
		switch {
		case err != nil:
			return retrain.Status{}, err
		case r != nil:
			return told(repository, *r), nil
		case w.Now().Sub(o.Noted) < settle:
			return retrain.Status{Message: fmt.Sprintf("GitHub took the dispatch of %s; its run has not shown up yet", workflow)}, nil
		case untitled != 0:
			return retrain.Status{}, nameless(workflow, untitled)
		}
		return retrain.Status{Message: fmt.Sprintf("GitHub took the dispatch of %s, and no run of it that is named %s has shown up", workflow, o.Decision)}, nil
	}
	got, err := w.ask(ctx, a, http.MethodGet, fmt.Sprintf("/repos/%s/actions/runs/%d", repository, id), nil, nil)
	switch {
	case err != nil:
		return retrain.Status{}, err
	case got.status == http.StatusNotFound:
		return w.missing(ctx, a, o, repository, id)
	case got.status != http.StatusOK:
		return retrain.Status{}, refused(got, a, repository, o.GitHub.Workflow, o.GitHub.Ref)
	}
	r, err := answer.ParseRun(got.body)
	if err != nil {
		return retrain.Status{}, &retrain.Trouble{Err: fmt.Errorf("run %d of %s: %w", id, repository, err)}
	}
	return told(repository, r), nil
}

// missing tells a run that was deleted from one that has not shown up yet, and
// from a repository that the token is no longer for.
func (w *Workflows) missing(ctx context.Context, a account, o retrain.Order, repository string, id int64) (retrain.Status, error) {
	if w.Now().Sub(o.Noted) < settle {
		return retrain.Status{Message: fmt.Sprintf("run %d of %s has not shown up yet", id, repository)}, nil
	}
	got, err := w.ask(ctx, a, http.MethodGet, "/repos/"+repository+"/actions/workflows/"+o.GitHub.Workflow, nil, nil)
	if err != nil {
		return retrain.Status{}, err
	}
	if got.status != http.StatusOK {
		return retrain.Status{}, refused(got, a, repository, o.GitHub.Workflow, o.GitHub.Ref)
	}
	return retrain.Status{State: retrain.Gone, Message: fmt.Sprintf("run %d of %s is gone", id, repository)}, nil
}

// told is what a run says of itself. Words that GitHub adds to its states are taken
// for those of a run that goes on.
func told(repository string, r answer.Run) retrain.Status {
	s := retrain.Status{Name: runName(repository, r.ID), Message: fmt.Sprintf("run %d of %s is %s", r.ID, repository, r.Words())}
	switch {
	case r.Succeeded():
		s.State = retrain.Complete
	case r.Completed():
		s.State = retrain.Failed
	}
	return s
}
