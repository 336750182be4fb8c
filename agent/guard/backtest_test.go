package guard_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/rules"
)

// quick are rules over seconds.
const quick = `
scrapeInterval: 1s
clocks:
  page: {windows: [10s], minEffectiveRows: 10, history: false, lastWeek: false}
  act: {windows: [30s], minEffectiveRows: 20, history: false, lastWeek: false}
  slow: {enabled: false}
clustering: {assumed: 1}
errors: {enabled: false}
latency: {enabled: false}
noData: {enabled: false}
quality: {enabled: false}
brokenInput: {enabled: false}
unknown: {enabled: false}
`

// liveSource is the rule engine of a live run, in simulated time.
type liveSource struct{ *embedded.Replay }

func (s liveSource) Verdicts(context.Context, time.Time) (guard.Verdicts, error) {
	out := guard.Verdicts{PageWindow: s.PageWindow()}
	for _, a := range s.Replay.Alerts() {
		out.Alerts = append(out.Alerts, evidence.Alert{Labels: a.Labels, Annotations: a.Annotations, State: a.State, ActiveAt: a.ActiveAt, Value: a.Value})
	}
	return out, nil
}
func (s liveSource) Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	return s.Replay.Query(ctx, expr, at)
}

// The record of a live run and the backtest of what it left behind agree: in
// cause, action, reason and target, and in time to within one evaluation. The
// live run is the leader's loop on a cluster; the backtests are of the rows, and
// of the TSDB that the live samples were stored in.
func TestBacktestAgreesWithLive(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the rules over 200 simulated seconds three times")
	}
	w := newWorld(t, func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy = v1alpha1.Autonomy{Default: v1alpha1.Observe} })
	two := w.register(50, "")
	begin := w.now
	const served, moved, end = 60, 130, 200 // seconds: of version 1, of home data, of all
	rows := seasonRows(begin, served, moved, end)
	files := quickRules(t)
	versions, err := w.store.List(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *backtest.CSV {
		t.Helper()
		h, _, err := backtest.OpenCSV(t.Context(), backtest.CSVConfig{
			Name: "rows", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(rows)), nil },
			Time: "at", VersionColumn: "v", Namespace: ns, Model: name, Versions: versions, Interval: time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}

	// Live.
	engine, err := embedded.NewReplay(embedded.ReplayConfig{Dir: t.TempDir(), Rules: files, EvaluationInterval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	dir := t.TempDir()
	store, err := embedded.New(embedded.Config{DataDir: dir, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	traffic := open()
	w.loop, err = guard.New(guard.Config{
		Client: w.client, Live: w.client, Source: liveSource{engine},
		Store: func(string) (registry.Store, error) { return w.store, nil },
		LiveProfile: func(ctx context.Context, pods []corev1.Pod, from, to time.Time) (guard.LiveProfile, error) {
			p, err := traffic.Live(ctx, pods[0].Labels[v1alpha1.LabelVersion], from, to)
			return guard.LiveProfile{Profile: p, Pods: len(pods)}, err
		},
		CheckArtifact: func(context.Context, string, string) error { return nil },
		CanPatch:      func(context.Context, string) (bool, error) { return true, nil },
		Logger:        zap.NewNop(), Now: func() time.Time { return w.now },
		Interval: time.Second, Stale: 5 * time.Second, TrafficWindow: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	for second := range end {
		from := w.now
		if second == served {
			w.deploy(two, "kubectl-client-side-apply")
		}
		w.now = w.now.Add(time.Second)
		scrapeBoth(t, traffic, from, w.now, engine, store)
		if err := engine.Eval(t.Context(), w.now); err != nil {
			t.Fatal(err)
		}
		w.loop.Round(t.Context())
	}
	live := w.decisions()
	if len(live) == 0 || live[len(live)-1].Spec.Action != "rollback" || live[len(live)-1].Spec.To != "1" {
		t.Fatalf("live run is to end in a rollback to version 1: %s", describe(live))
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	// Afterwards.
	g := *theGuard()
	g.Spec.Autonomy = v1alpha1.Autonomy{Default: v1alpha1.Observe}
	cfg := backtest.Config{
		Rules: files, From: begin, To: w.now, Namespace: ns, Model: name, ScrapeInterval: time.Second,
		Guards: []backtest.Guarded{{Guard: g, Versions: versions, AllVersions: true}},
	}
	fromRows := open()
	cfg.History, cfg.Rows, cfg.Dir = fromRows, fromRows, t.TempDir()
	agree(t, "rows", live, cfg)
	folder, _, err := backtest.OpenTSDB(t.Context(), filepath.Join(dir, "tsdb"), t.TempDir(), backtest.Query{Namespace: ns})
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	cfg.History, cfg.Rows, cfg.Dir = folder, nil, t.TempDir()
	// Of counters it is known that all rows are out of version 2's range, not that
	// they are at home with version 1.
	last := &live[len(live)-1].Spec
	last.Action, last.Reason, last.To = "hold", string(backtest.ReasonMatchUnknown), ""
	agree(t, "TSDB", live, cfg)
}

func agree(t *testing.T, what string, live []v1alpha1.ModelDecision, cfg backtest.Config) {
	t.Helper()
	res, err := backtest.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(what, err)
	}
	if len(res.Decisions) != len(live) {
		t.Fatalf("%s: live decided %s\nthe backtest %s", what, describe(live), describe(res.Decisions))
	}
	for i, d := range res.Decisions {
		a, b := live[i].Spec, d.Spec
		if a.Cause != b.Cause || a.Action != b.Action || a.Reason != b.Reason || a.To != b.To || a.From != b.From || a.Autonomy != b.Autonomy ||
			a.DecidedAt.Sub(b.DecidedAt.Time).Abs() > time.Second {
			t.Errorf("%s, decision %d: live %s at %s, the backtest %s at %s", what, i, describe(live[i:i+1]), a.DecidedAt, describe(res.Decisions[i:i+1]), b.DecidedAt)
		}
	}
}

// seasonRows are 20 rows a second: around 0 by version 1, then around 50, at home
// with version 2 that answers them, then around 0 again.
func seasonRows(begin time.Time, served, moved, end int) string {
	var b strings.Builder
	b.WriteString("at,v,x\n")
	for i := range end * 20 {
		version, centre := 1, 0.0
		if i >= served*20 {
			version, centre = 2, 50
		}
		if i >= moved*20 {
			centre = 0
		}
		at := begin.Add(time.Duration(i)*50*time.Millisecond + time.Millisecond)
		fmt.Fprintf(&b, "%s,%d,%g\n", at.Format("2006-01-02T15:04:05.000Z"), version, centre+float64(i*77%200)/100)
	}
	return b.String()
}

func quickRules(t *testing.T) map[string][]byte {
	t.Helper()
	v, err := rules.ParseValues([]byte(quick))
	if err != nil {
		t.Fatal(err)
	}
	files, err := rules.Render(v)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

type appends interface {
	AppenderV2(ctx context.Context) storage.AppenderV2
}

// scrapeBoth writes what the sidecars of two pods say into all storages.
func scrapeBoth(t *testing.T, h *backtest.CSV, from, to time.Time, storages ...appends) {
	t.Helper()
	apps := make([]storage.AppenderV2, len(storages))
	for i, s := range storages {
		apps[i] = s.AppenderV2(t.Context())
	}
	err := h.Read(t.Context(), backtest.Query{}, from, to, func(ls labels.Labels, at int64, v float64) error {
		pods := []string{"churn-0"}
		if ls.Get(model.MetricNameLabel) == "leeway_model_info" {
			pods = append(pods, "churn-1")
		}
		for _, pod := range pods {
			for _, app := range apps {
				if ls.Has("pod") {
					ls = labels.NewBuilder(ls).Set("pod", pod).Labels()
				}
				if _, err := app.Append(0, ls, 0, at, v, nil, nil, storage.AppendV2Options{}); err != nil {
					return fmt.Errorf("%s: %w", ls, err)
				}
			}
		}
		return nil
	})
	for _, app := range apps {
		if err == nil {
			err = app.Commit()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
