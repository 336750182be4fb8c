package prometheus

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage"

	"github.com/leeway-dev/leeway/agent/embedded"
)

// engine is one that holds samples and evaluates the rules.
type engine struct {
	name string
	url  string // of its API
	push func(ctx context.Context, at time.Time, samples []sample) error
}

type sample struct {
	series labels.Labels
	value  float64
}

// tools is where programs are kept from run to run.
func tools(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "leeway", "engines")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, dir, name string, args ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return nil
}

// debian unpacks Debian's prometheus and promtool, without installing them.
func debian(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(tools(t), "debian")
	bin := filepath.Join(dir, "usr", "bin")
	if _, err := os.Stat(filepath.Join(bin, "promtool")); err == nil {
		return bin
	}
	download := t.TempDir()
	if err := run(t, download, "apt-get", "download", "prometheus"); err != nil {
		t.Skip("Debian's prometheus can't be had: ", err)
	}
	found, err := filepath.Glob(filepath.Join(download, "prometheus_*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if err := run(t, "", "dpkg-deb", "-x", found[0], dir); err != nil {
		t.Fatal(err)
	}
	return bin
}

// victoria builds VictoriaMetrics and vmalert as module e2e/victoriametrics pins
// them; a first build takes minutes.
func victoria(t *testing.T) string {
	t.Helper()
	const app = "github.com/VictoriaMetrics/VictoriaMetrics/app/"
	bin := tools(t)
	err := run(t, filepath.Join("..", "victoriametrics"), "go", "build", "-o", bin+string(os.PathSeparator), app+"victoria-metrics", app+"vmalert")
	if err != nil {
		t.Skip("VictoriaMetrics can't be built: ", err)
	}
	return bin
}

// start runs a program until the test ends, and shows its log if the test failed.
func start(t *testing.T, program string, args ...string) {
	t.Helper()
	runtime.LockOSThread() // the signal comes when the thread ends that started it
	var log bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also when the test is killed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(program), tail(log.Bytes(), 4000))
		}
	})
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// port is one that was free a moment ago.
func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func awaitUp(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("%s does not answer within a minute", url)
}

// remoteWrite pushes by the protocol that all engines take.
func remoteWrite(url string) func(context.Context, time.Time, []sample) error {
	return func(ctx context.Context, at time.Time, samples []sample) error {
		var w prompb.WriteRequest
		for _, s := range samples {
			series := prompb.TimeSeries{Samples: []prompb.Sample{{Value: s.value, Timestamp: at.UnixMilli()}}}
			s.series.Range(func(l labels.Label) {
				series.Labels = append(series.Labels, prompb.Label{Name: l.Name, Value: l.Value})
			})
			w.Timeseries = append(w.Timeseries, series)
		}
		raw, err := w.Marshal()
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(snappy.Encode(nil, raw)))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-protobuf")
		req.Header.Set("Content-Encoding", "snappy")
		req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("%s: %s", url, resp.Status)
		}
		return nil
	}
}

func startDebian(t *testing.T, rulesDir string) engine {
	bin, dir, addr := debian(t), t.TempDir(), port(t)
	config := filepath.Join(dir, "prometheus.yml")
	write(t, config, "global: {evaluation_interval: 1s}\nrule_files: ['"+rulesDir+"/*.yaml']\n")
	start(t, filepath.Join(bin, "prometheus"), "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--web.enable-remote-write-receiver", "--log.level=warn",
		// An instant selector sees a sample for as long as in the embedded engine.
		"--query.lookback-delta=20s")
	awaitUp(t, "http://"+addr+"/-/ready")
	return engine{"Debian's Prometheus", "http://" + addr, remoteWrite("http://" + addr + "/api/v1/write")}
}

func startVictoria(t *testing.T, rulesDir string) engine {
	bin, dir, addr, alerts := victoria(t), t.TempDir(), port(t), port(t)
	start(t, filepath.Join(bin, "victoria-metrics"), "-storageDataPath="+dir, "-httpListenAddr="+addr, "-vmalert.proxyURL=http://"+alerts,
		"-search.latencyOffset=0s", "-inmemoryDataFlushInterval=1s", "-search.maxStalenessInterval=20s")
	awaitUp(t, "http://"+addr+"/health")
	start(t, filepath.Join(bin, "vmalert"), "-rule="+rulesDir+"/*.yaml", "-datasource.url=http://"+addr, "-remoteWrite.url=http://"+addr,
		"-notifier.blackhole", "-evaluationInterval=1s", "-httpListenAddr="+alerts, "-rule.evalDelay=0s", "-remoteWrite.flushInterval=200ms")
	awaitUp(t, "http://"+alerts+"/health")
	return engine{"VictoriaMetrics", "http://" + addr, remoteWrite("http://" + addr + "/api/v1/write")}
}

// startEmbedded runs the engine inside Leeway, and serves its API.
func startEmbedded(t *testing.T, rulesDir string) engine {
	t.Helper()
	e, err := embedded.New(embedded.Config{DataDir: t.TempDir(), RulesDir: rulesDir, EvaluationInterval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	h := httptest.NewServer(e.Handler())
	t.Cleanup(func() {
		h.Close()
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine{"embedded", h.URL, func(ctx context.Context, at time.Time, samples []sample) error {
		app := e.AppenderV2(ctx)
		for _, s := range samples {
			if _, err := app.Append(0, s.series, 0, at.UnixMilli(), s.value, nil, nil, storage.AOptions{}); err != nil {
				return err
			}
		}
		return app.Commit()
	}}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
