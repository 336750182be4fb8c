package embedded

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/notifier"
	"sigs.k8s.io/yaml"
)

// alertingTargets are the Alertmanagers, as discovery would name them.
type alertingTargets map[string][]*targetgroup.Group

func (t alertingTargets) run(n *notifier.Manager) {
	updates := make(chan map[string][]*targetgroup.Group, 1)
	updates <- t
	n.Run(updates)
}

// newNotifier is Prometheus' own notifier for fixed addresses; nil when there are
// none. Both replicas send: Alertmanager takes the same alert once.
func newNotifier(cfg Config, log *slog.Logger) (*notifier.Manager, alertingTargets, error) {
	if len(cfg.AlertmanagerURLs) == 0 {
		return nil, nil, nil
	}
	targets := alertingTargets{}
	var managers []map[string]any
	for i, raw := range cfg.AlertmanagerURLs {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, nil, fmt.Errorf("alertmanager %q is not a URL like http://alertmanager:9093", raw)
		}
		manager := map[string]any{"scheme": u.Scheme, "path_prefix": "/" + strings.Trim(u.Path, "/")}
		if u.User != nil {
			password, _ := u.User.Password()
			manager["basic_auth"] = map[string]any{"username": u.User.Username(), "password": password}
		}
		managers = append(managers, manager)
		targets[fmt.Sprintf("config-%d", i)] = []*targetgroup.Group{{
			Source:  "flag",
			Targets: []model.LabelSet{{model.AddressLabel: model.LabelValue(u.Host)}},
		}}
	}
	rendered, err := yaml.Marshal(map[string]any{"alerting": map[string]any{"alertmanagers": managers}})
	if err != nil {
		return nil, nil, err
	}
	loaded, err := config.Load(string(rendered), log)
	if err != nil {
		return nil, nil, fmt.Errorf("alertmanagers: %w", err)
	}
	n := notifier.NewManager(&notifier.Options{QueueCapacity: 1000, DrainOnShutdown: false, Registerer: cfg.Registerer}, model.UTF8Validation, log)
	return n, targets, n.ApplyConfig(loaded)
}
