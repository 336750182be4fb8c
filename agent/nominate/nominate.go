// Package nominate takes Alertmanager's webhook. What it says is not believed: it
// names models that are worth a look now, and the look asks the source of
// verdicts itself. So whoever may call it can cause a look, and nothing else;
// silences and routes of the Alertmanager decide what it tells.
package nominate

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

const (
	maxBody   = 4 << 20
	maxModels = 1000 // named by one request
)

// Handler serves POST /leeway/v1/alerts, the webhook's version 4. wake is called
// once for each model that a firing alert names; it must not block.
func Handler(wake func(namespace, model string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, fmt.Sprintf("the body can't be read, or is longer than %d bytes: lower max_alerts in the receiver", maxBody), http.StatusRequestEntityTooLarge)
			return
		}
		models, err := read(raw)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, m := range models {
			wake(m.namespace, m.name)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "{\"models\":%d}\n", len(models))
	})
}

type model struct{ namespace, name string }

// read lists the models of firing alerts, each once. Fields that it does not know
// are none of its business.
func read(raw []byte) ([]model, error) {
	var message struct {
		Version string `json:"version"`
		Alerts  []struct {
			Status string            `json:"status"`
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	if err := json.Unmarshal(raw, &message); err != nil {
		return nil, fmt.Errorf("not a message of Alertmanager's webhook: %w", err)
	}
	if message.Version != "4" {
		return nil, fmt.Errorf("version %q of the webhook: 4 is known", message.Version)
	}
	var models []model
	seen := map[model]bool{}
	for _, a := range message.Alerts {
		m := model{a.Labels["namespace"], a.Labels["model_name"]}
		if a.Status != "firing" || m.namespace == "" || m.name == "" || seen[m] || len(models) == maxModels {
			continue
		}
		seen[m] = true
		models = append(models, m)
	}
	return models, nil
}
