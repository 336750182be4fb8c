package mlflow

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"

	"github.com/leeway-dev/leeway/registry"
)

// Bounds of what is listed.
const (
	pageVersions = 500
	pageModels   = 500
	maxVersions  = 200_000 // of one model
	maxModels    = 200_000
)

func (c *client) get(ctx context.Context, path string, query url.Values, limit int64, into any) error {
	return c.call(ctx, request{method: http.MethodGet, path: path, query: query, limit: limit}, into)
}

// post makes a call that may be made again.
func (c *client) post(ctx context.Context, path string, body, into any) error {
	return c.call(ctx, request{method: http.MethodPost, path: path, body: body}, into)
}

func (c *client) version(ctx context.Context, model string, n int64) (modelVersion, error) {
	var a struct {
		Version modelVersion `json:"model_version"`
	}
	q := url.Values{"name": {model}, "version": {strconv.FormatInt(n, 10)}}
	err := c.get(ctx, "model-versions/get", q, 0, &a)
	if err == nil && (a.Version.Name != model || int64(a.Version.Version) != n) {
		err = fmt.Errorf("mlflow: %s%smodel-versions/get: %w: asked for version %d of %s, it answers with %d of %.100q",
			c.base, api, registry.ErrInvalid, n, model, a.Version.Version, a.Version.Name)
	}
	return a.Version, err
}

// versions lists a model's versions by rising number, those with a tag only if
// one is given. It goes on behind the last number, not at an offset: what is
// deleted meanwhile hides nothing.
func (c *client) versions(ctx context.Context, model, key, val string) ([]modelVersion, error) {
	var all []modelVersion
	for last := int64(0); ; {
		filter := fmt.Sprintf("name='%s' AND version_number > %d", model, last)
		if key != "" {
			filter += fmt.Sprintf(" AND tags.`%s`='%s'", key, val)
		}
		q := url.Values{"filter": {filter}, "max_results": {strconv.Itoa(pageVersions)}, "order_by": {"version_number ASC"}}
		var a struct {
			Versions []modelVersion `json:"model_versions"`
			Next     string         `json:"next_page_token"`
		}
		if err := c.get(ctx, "model-versions/search", q, maxAnswer, &a); err != nil {
			return nil, err
		}
		for _, v := range a.Versions {
			if v.Name != model || int64(v.Version) <= last {
				return nil, fmt.Errorf("mlflow: %s%smodel-versions/search: %w: version %d of %.100q is not what was asked for (%s)",
					c.base, api, registry.ErrInvalid, v.Version, v.Name, filter)
			}
			last = int64(v.Version)
		}
		all = append(all, a.Versions...)
		if len(all) > maxVersions {
			return nil, fmt.Errorf("mlflow: %s: %w: %s has more than %d versions", c.base, registry.ErrTooLarge, model, maxVersions)
		}
		if a.Next == "" || len(a.Versions) == 0 {
			return all, nil
		}
	}
}

// models lists all registered models.
func (c *client) models(ctx context.Context) ([]registeredModel, error) {
	var all []registeredModel
	for token := ""; ; {
		q := url.Values{"max_results": {strconv.Itoa(pageModels)}, "order_by": {"name ASC"}}
		if token != "" {
			q.Set("page_token", token)
		}
		var a struct {
			Models []registeredModel `json:"registered_models"`
			Next   string            `json:"next_page_token"`
		}
		if err := c.get(ctx, "registered-models/search", q, maxAnswer, &a); err != nil {
			return nil, err
		}
		all = append(all, a.Models...)
		if len(all) > maxModels {
			return nil, fmt.Errorf("mlflow: %s: %w: more than %d registered models", c.base, registry.ErrTooLarge, maxModels)
		}
		if a.Next == "" || a.Next == token || len(a.Models) == 0 {
			return all, nil
		}
		token = a.Next
	}
}

func (c *client) model(ctx context.Context, name string) (registeredModel, error) {
	var a struct {
		Model registeredModel `json:"registered_model"`
	}
	err := c.get(ctx, "registered-models/get", url.Values{"name": {name}}, 0, &a)
	return a.Model, err
}

// createModel makes a registered model unless it is there.
func (c *client) createModel(ctx context.Context, name string) error {
	err := c.post(ctx, "registered-models/create", map[string]any{"name": name}, nil)
	if is(err, codeExists) {
		return nil
	}
	return err
}

func (c *client) experiment(ctx context.Context, name string) (experiment, error) {
	var a struct {
		Experiment experiment `json:"experiment"`
	}
	err := c.get(ctx, "experiments/get-by-name", url.Values{"experiment_name": {name}}, 0, &a)
	return a.Experiment, err
}

// createExperiment makes an experiment, or finds that the name is taken.
func (c *client) createExperiment(ctx context.Context, name string, tags ...tag) (taken bool, err error) {
	err = c.post(ctx, "experiments/create", map[string]any{"name": name, "tags": tags}, nil)
	if is(err, codeExists) {
		return true, nil
	}
	return false, err
}

// createRun makes a run. It has a tag of its own, by which it is found when the
// answer was lost.
func (c *client) createRun(ctx context.Context, experiment, name string, start int64, tags []tag) (string, error) {
	nonce := newNonce()
	body := map[string]any{"experiment_id": experiment, "run_name": name, "start_time": start, "tags": append(tags, tag{tagNonce, nonce})}
	var a struct {
		Run run `json:"run"`
	}
	for attempt := 1; ; attempt++ {
		err := c.call(ctx, request{method: http.MethodPost, path: "runs/create", body: body, once: true}, &a)
		if err == nil && a.Run.Info.ID == "" {
			return "", fmt.Errorf("mlflow: %s%sruns/create: %w: the answer has no run.info.run_id", c.base, api, registry.ErrInvalid)
		}
		if err == nil || !unknown(err) || ctx.Err() != nil || attempt == attempts {
			return a.Run.Info.ID, err
		}
		runs, lookErr := c.searchRuns(ctx, experiment, fmt.Sprintf("tags.`%s` = '%s'", tagNonce, nonce), 1)
		if lookErr != nil {
			return "", lookErr
		}
		if len(runs) > 0 {
			return runs[0].Info.ID, nil
		}
	}
}

// createVersion makes a version of a registered model, found again by its nonce
// when the answer was lost.
func (c *client) createVersion(ctx context.Context, model, source, runID, description, nonce string, tags []tag) (modelVersion, error) {
	body := map[string]any{"name": model, "source": source, "run_id": runID, "description": description, "tags": append(tags, tag{tagNonce, nonce})}
	var a struct {
		Version modelVersion `json:"model_version"`
	}
	for attempt := 1; ; attempt++ {
		err := c.call(ctx, request{method: http.MethodPost, path: "model-versions/create", body: body, once: true}, &a)
		if err == nil && a.Version.Version < 1 {
			return a.Version, fmt.Errorf("mlflow: %s%smodel-versions/create: %w: model_version.version is %d", c.base, api, registry.ErrInvalid, a.Version.Version)
		}
		// A server that is busy gives up after three races for the number: that
		// is no reason to give up here.
		if err == nil || !unknown(err) || ctx.Err() != nil || attempt == 4*attempts {
			return a.Version, err
		}
		there, lookErr := c.versions(ctx, model, tagNonce, nonce)
		if lookErr != nil {
			return a.Version, lookErr
		}
		if len(there) > 0 {
			return there[0], nil
		}
		if err := wait(ctx, c.pause/4+rand.N(c.pause)); err != nil {
			return a.Version, err
		}
	}
}

func (c *client) setVersionTag(ctx context.Context, model string, n int64, key, val string) error {
	return c.post(ctx, "model-versions/set-tag", map[string]any{"name": model, "version": strconv.FormatInt(n, 10), "key": key, "value": val}, nil)
}

// deleteVersion deletes a version; that it is gone already is no error.
func (c *client) deleteVersion(ctx context.Context, model string, n int64) error {
	body := map[string]any{"name": model, "version": strconv.FormatInt(n, 10)}
	err := c.call(ctx, request{method: http.MethodDelete, path: "model-versions/delete", body: body}, nil)
	if is(err, codeMissing) {
		return nil
	}
	return err
}

func (c *client) setAlias(ctx context.Context, model, name string, n int64) error {
	return c.post(ctx, "registered-models/alias", map[string]any{"name": model, "alias": name, "version": strconv.FormatInt(n, 10)}, nil)
}

func (c *client) deleteAlias(ctx context.Context, model, name string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: "registered-models/alias", body: map[string]any{"name": model, "alias": name}}, nil)
}

// deleteRun deletes a run; that it is gone already is no error.
func (c *client) deleteRun(ctx context.Context, id string) error {
	err := c.post(ctx, "runs/delete", map[string]any{"run_id": id}, nil)
	if is(err, codeMissing) || is(err, codeBadValue) {
		return nil
	}
	return err
}

func (c *client) run(ctx context.Context, id string) (run, error) {
	var a struct {
		Run run `json:"run"`
	}
	err := c.get(ctx, "runs/get", url.Values{"run_id": {id}}, maxAnswer, &a)
	return a.Run, err
}

// searchRuns finds runs of an experiment, deleted ones too.
func (c *client) searchRuns(ctx context.Context, experiment, filter string, most int) ([]run, error) {
	var a struct {
		Runs []run `json:"runs"`
	}
	body := map[string]any{"experiment_ids": []string{experiment}, "filter": filter, "max_results": most, "run_view_type": "ALL"}
	err := c.call(ctx, request{method: http.MethodPost, path: "runs/search", body: body, limit: maxAnswer}, &a)
	return a.Runs, err
}
