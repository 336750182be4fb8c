package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leeway-dev/leeway/registry/profile"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"leeway": main, "kubectl-leeway": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"rows": rows, "gz": gz, "cutgz": cutgz, "rounded": rounded, "live": live,
			"predictions": predictions, "labels": labels, "counted": counted, "flights": flights, "await": await, "exits": exits,
		},
	})
}

// setup gives each script an S3 server with the bucket models, and an API
// server that serves the script's files below cluster/; those with a Status
// are refusals.
func setup(e *testscript.Env) error {
	backend := s3mem.New()
	if err := backend.CreateBucket("models"); err != nil {
		return err
	}
	body := strings.NewReader("an S3 object")
	if _, err := backend.PutObject("models", "churn/1", nil, body, body.Size(), nil); err != nil {
		return err
	}
	s3 := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	e.Defer(s3.Close)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := os.ReadFile(e.WorkDir + "/cluster" + strings.TrimSuffix(r.URL.Path, "/") + ".json")
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			b = []byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		} else if bytes.HasPrefix(b, []byte(`{"kind":"Status"`)) {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = w.Write(b)
	}))
	e.Defer(api.Close)
	for name, server := range map[string]string{"kubeconfig": api.URL, "kubeconfig-dead": "http://127.0.0.1:1"} {
		text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, users: [],
clusters: [{name: c, cluster: {server: %q}}], contexts: [{name: c, context: {cluster: c, namespace: ml}}]}`, server)
		if err := os.WriteFile(e.WorkDir+"/"+name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	e.Setenv("KUBECONFIG", e.WorkDir+"/kubeconfig")
	e.Setenv("AWS_ENDPOINT_URL", s3.URL)
	e.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	e.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e.Setenv("USER", "ada")
	if err := newRegistryServer(e); err != nil {
		return err
	}
	return newLabelServer(e)
}

// rows FILE N SHIFT writes N rows of three columns, the first one shifted.
func rows(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	shift, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	r := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	b.WriteString("id,temp,carrier,score,late\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,%.3f,%s,%.3f,%d\n", i, 10*r.Float64()+shift, []string{"AA", "UA", "DL"}[r.IntN(3)], r.Float64(), r.IntN(2))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// predictions FILE N HOURS writes what versions 1 and 2 predicted for N rows whose
// truth is 1: 5 and 2. The rows span so many hours.
func predictions(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	hours, err := strconv.Atoi(args[2])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("time,actual,1,2\n")
	for i := range n {
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Duration(hours) * time.Hour / time.Duration(n-1))
		fmt.Fprintf(&b, "%s,1,5,2\n", at.Format(time.RFC3339))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// live FILE N SHIFT writes the live profile of N rows like those of rows, of
// which a column is never there.
func live(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	shift, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	recorder, err := profile.NewRecorder(
		[]profile.Column{{Name: "temp", Type: profile.Number}, {Name: "carrier", Type: profile.Category}, {Name: "gone", Type: profile.Number}},
		[]profile.Column{{Name: "score", Type: profile.Number}})
	ts.Check(err)
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(1, 1))
	recorder.Lock(noon)
	recorder.AddRows(int64(n))
	for range n {
		recorder.Feature(0).Number(10*r.Float64() + shift)
		recorder.Feature(1).Category([]string{"AA", "UA", "DL"}[r.IntN(3)])
		recorder.Feature(2).Missing()
		recorder.Output(0).Number(r.Float64())
	}
	recorder.Unlock()
	b, err := recorder.Profile(noon, noon.Add(time.Hour)).Encode()
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

// gz FILE compresses a file to FILE.gz.
func gz(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.Create(ts.MkAbs(args[0]) + ".gz")
	ts.Check(err)
	w := gzip.NewWriter(f)
	_, err = w.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(w.Close())
	ts.Check(f.Close())
}

// cutgz FILE OUT compresses a file and loses the end.
func cutgz(ts *testscript.TestScript, neg bool, args []string) {
	gz(ts, neg, args)
	b := ts.ReadFile(args[0] + ".gz")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b[:len(b)/2]), 0o644))
}

var long = regexp.MustCompile(`\d+\.\d{7,}`)

// rounded FILE rounds the numbers in a file: their last digits depend on the
// processor.
func rounded(ts *testscript.TestScript, _ bool, args []string) {
	text := long.ReplaceAllStringFunc(ts.ReadFile(args[0]), func(s string) string {
		f, err := strconv.ParseFloat(s, 64)
		ts.Check(err)
		return strconv.FormatFloat(f, 'f', 6, 64)
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// What is interrupted stops, says so, and leaves nothing.
func TestInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	in, w := io.Pipe()
	defer w.Close()
	go func() {
		_, _ = w.Write([]byte("a,b\n1,2\n"))
		cancel()
		_, _ = w.Write([]byte("3,4\n"))
		w.Close()
	}()
	var stderr strings.Builder
	code := run(ctx, []string{"leeway", "profile", "-", "-o", "p.json"}, system{in: in, out: io.Discard, err: &stderr, env: func(string) string { return "" }})
	if code != exitInterrupted || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("got code %d, %q, want %d", code, stderr.String(), exitInterrupted)
	}
	if left, _ := os.ReadDir("."); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExitCodes(t *testing.T) {
	t.Chdir(t.TempDir())
	for want, args := range map[int][]string{
		exitOK:          {"leeway", "versions", "churn"},
		exitFailed:      {"leeway", "match", "churn", "--profile", "nosuch.json"},
		exitUsage:       {"leeway", "show", "churn", "--nosuch"},
		exitNotFound:    {"leeway", "show", "churn", "1"},
		exitUnreachable: {"leeway", "versions", "churn", "--store", "leeway+http://127.0.0.1:1"},
	} {
		got := run(t.Context(), args, system{in: strings.NewReader(""), out: io.Discard, err: io.Discard, env: func(string) string { return "" }})
		if got != want {
			t.Errorf("%v: got %d, want %d", args, got, want)
		}
	}
}
