package node

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"sigs.k8s.io/yaml"
)

// job is the name of the one scrape job, and the label job of its series.
const job = "leeway-sidecar"

// reloadEvery is how long a new pod waits at most before it becomes a target.
// Prometheus' own default of 5 s would blind a rollout for its most interesting
// seconds.
const reloadEvery = 500 * time.Millisecond

// Limits bound what one node takes from its pods. A scrape beyond one fails as a
// whole, and `up` is 0.
type Limits struct {
	Samples     int   // of one pod; 0 is 20,000
	Targets     int   // of the node; 0 is 500
	Labels      int   // of a series; 0 is 30
	LabelBytes  int   // of a label's value; 0 is 1,024
	ScrapeBytes int64 // of one answer, unpacked; 0 is 16 MiB
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Samples:     cmp.Or(l.Samples, 20_000),
		Targets:     cmp.Or(l.Targets, 500),
		Labels:      cmp.Or(l.Labels, 30),
		LabelBytes:  cmp.Or(l.LabelBytes, 1024),
		ScrapeBytes: cmp.Or(l.ScrapeBytes, 16<<20),
	}
}

// scrapeConfig is Prometheus' configuration for the job. It goes through YAML
// because only a loaded configuration has all its defaults.
func scrapeConfig(interval time.Duration, l Limits, native bool, log *slog.Logger) (*config.Config, error) {
	timeout := min(interval, 10*time.Second)
	scrapeJob := map[string]any{
		"job_name":                         job,
		"scrape_interval":                  model.Duration(interval).String(),
		"scrape_timeout":                   model.Duration(timeout).String(),
		"scrape_native_histograms":         native,
		"always_scrape_classic_histograms": true,
		"honor_labels":                     false,
		"sample_limit":                     l.Samples,
		"target_limit":                     l.Targets,
		"label_limit":                      l.Labels,
		"label_name_length_limit":          128,
		"label_value_length_limit":         l.LabelBytes,
		"body_size_limit":                  fmt.Sprintf("%dB", l.ScrapeBytes),
		"follow_redirects":                 false,
		// What a pod said in place of the labels that are attached here.
		"metric_relabel_configs": []map[string]any{{
			"action": "labeldrop", "regex": "exported_(namespace|pod|node|workload|job|instance)",
		}},
	}
	raw, err := yaml.Marshal(map[string]any{"scrape_configs": []any{scrapeJob}})
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(string(raw), log)
	if err != nil {
		return nil, fmt.Errorf("scrape configuration: %w", err)
	}
	return cfg, nil
}

func newScraper(to storage.AppendableV2, cfg *config.Config, reg prometheus.Registerer, log *slog.Logger) (*scrape.Manager, error) {
	manager, err := scrape.NewManager(&scrape.Options{
		AppendMetadata:           true,
		DiscoveryReloadInterval:  model.Duration(reloadEvery),
		DiscoveryReloadOnStartup: true,
	}, log, nil, nil, to, reg)
	if err != nil {
		return nil, err
	}
	if err := manager.ApplyConfig(cfg); err != nil {
		return nil, fmt.Errorf("scrape configuration: %w", err)
	}
	return manager, nil
}
