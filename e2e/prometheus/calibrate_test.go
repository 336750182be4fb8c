package prometheus

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/calibrate"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// history is a week and a day of one version, as OpenMetrics with a sample every
// ten minutes: 600 requests an hour, a tenth of them errors, and two columns, one
// of independent rows, one of sessions of twenty rows that are alike.
func history(until time.Time) string {
	const step, bins = 10 * time.Minute, 5
	r := rand.New(rand.NewPCG(1, 2))
	var samples [4]strings.Builder // by metric: a family's samples stand together
	counts := map[string][]float64{"alone": make([]float64, bins), "sessions": make([]float64, bins)}
	const version = `namespace="ml",model_name="churn",model_version="2",pod="p"`
	n := 0.0
	for at := until.Add(-8 * 24 * time.Hour); at.Before(until); at = at.Add(step) {
		n += 100
		for range 100 {
			counts["alone"][r.IntN(bins)]++
		}
		for range 5 {
			counts["sessions"][r.IntN(bins)] += 20
		}
		fmt.Fprintf(&samples[0], "leeway_request_duration_seconds_bucket{%s,code=\"2xx\",le=\"0.1\"} %g %d\n", version, 0.9*n, at.Unix())
		fmt.Fprintf(&samples[1], "leeway_request_duration_seconds_bucket{%s,code=\"2xx\",le=\"+Inf\"} %g %d\n", version, 0.9*n, at.Unix())
		for code, share := range map[string]float64{"2xx": 0.9, "5xx": 0.1} {
			fmt.Fprintf(&samples[2], "leeway_request_duration_seconds_count{%s,code=%q} %g %d\n", version, code, share*n, at.Unix())
		}
		for feature, bin := range counts {
			for i, x := range bin {
				fmt.Fprintf(&samples[3], "leeway_feature_observations_total{%s,feature=%q,bin=\"%02d\"} %g %d\n", version, feature, i, x, at.Unix())
			}
		}
	}
	return samples[0].String() + samples[1].String() + samples[2].String() + samples[3].String() + "# EOF\n"
}

// What calibration measures in the history of a real server is what was put there.
func TestCalibrate(t *testing.T) {
	bin, dir, addr := debian(t), t.TempDir(), port(t)
	now := time.Now()
	metrics, config := filepath.Join(dir, "metrics"), filepath.Join(dir, "prometheus.yml")
	write(t, metrics, history(now))
	write(t, config, "global: {}\n")
	if err := run(t, dir, filepath.Join(bin, "promtool"), "tsdb", "create-blocks-from", "openmetrics", metrics, filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	start(t, filepath.Join(bin, "prometheus"), "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn")
	awaitUp(t, "http://"+addr+"/-/ready")
	client, err := promapi.New(promapi.Config{URL: "http://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	report, err := calibrate.History(t.Context(), client, 7*24*time.Hour, now, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Versions) != 1 || len(report.Versions[0].Columns) != 2 {
		t.Fatalf("%+v", report)
	}
	v := report.Versions[0]
	if v.Requests < 590 || v.Requests > 610 || v.Errors < 0.099 || v.Errors > 0.101 || v.Hours < 165 {
		t.Errorf("%+v", v)
	}
	const hour = rules.Duration(time.Hour)
	if alone := v.Columns[0]; alone.Name != "alone" || alone.Clustering[hour] > 1.4 || alone.Slow {
		t.Errorf("%+v", alone)
	}
	if sessions := v.Columns[1]; sessions.Clustering[hour] < 15 || sessions.Clustering[hour] > 30 || sessions.Slow {
		t.Errorf("%+v", sessions)
	}
	if _, err := rules.ParseValues(report.Values(rules.Defaults())); err != nil {
		t.Error(err)
	}
	t.Logf("%s", report.Values(rules.Defaults()))
}
