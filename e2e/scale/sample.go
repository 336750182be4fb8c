package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

// What the sidecar that is the pattern for all others is asked.
const (
	patternRequests = 100
	patternRows     = 20
	patternSeconds  = 10 // what this counts for: 10 requests a second
)

// learn profiles a training of columns of numbers. Its file is the reference.
func learn(ctx context.Context, dir string, columns int) (profile string, err error) {
	r := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	for i := range columns {
		fmt.Fprintf(&b, "feature_%02d,", i)
	}
	b.WriteString("prediction\n")
	for range 2000 {
		for range columns {
			fmt.Fprintf(&b, "%.4f,", r.NormFloat64())
		}
		fmt.Fprintf(&b, "%.4f\n", r.Float64())
	}
	rows := filepath.Join(dir, "training.csv")
	if err := os.WriteFile(rows, []byte(b.String()), 0o600); err != nil {
		return "", err
	}
	profile = filepath.Join(dir, "profile.json")
	_, err = child.Run(child.Command(ctx, filepath.Join(dir, "leeway"), "profile", rows, "--prediction", "prediction", "-o", profile))
	return profile, err
}

// observe starts a real sidecar, sends it a reference and rows, and gives what
// it then has to say to a Prometheus.
//
// With fails, half of the answers are errors.
func observe(ctx context.Context, dir, profile string, columns int, fails bool) (*exposition, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var asked atomic.Int64
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if asked.Add(1)%2 == 0 && fails {
			http.Error(w, "it fails", http.StatusInternalServerError)
			return
		}
		out := make([]float64, patternRows)
		for i := range out {
			out[i] = rand.Float64()
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"model_name": "m", "outputs": []any{
			map[string]any{"name": "prediction", "datatype": "FP64", "shape": []int{len(out), 1}, "data": out}}})
	}))
	defer model.Close()
	traffic, err := plane.FreePort()
	if err != nil {
		return nil, err
	}
	admin, err := plane.FreePort()
	if err != nil {
		return nil, err
	}
	cmd, said := child.Command(ctx, filepath.Join(dir, "leeway-sidecar"), "--model=m", "--version=1", "--listen="+traffic,
		"--admin-listen="+admin, "--upstream="+model.URL, "--log-level=error"), &child.Output{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it is killed
	}()
	e, err := converse(ctx, "http://"+traffic, "http://"+admin, profile, columns, fails)
	if err != nil {
		return nil, fmt.Errorf("%w\nthe sidecar said: %s", err, said.Tail(2000))
	}
	return e, nil
}

func converse(ctx context.Context, traffic, admin, profile string, columns int, fails bool) (*exposition, error) {
	reference, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	if err := plane.Await(ctx, time.Minute, func() error {
		_, _, err := ask(ctx, http.MethodPut, admin+"/reference", reference, "")
		return err
	}); err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(2, 2))
	for range patternRequests {
		var inputs []any
		for i := range columns {
			data := make([]float64, patternRows)
			for j := range data {
				data[j] = r.NormFloat64()
			}
			inputs = append(inputs, map[string]any{"name": fmt.Sprintf("feature_%02d", i), "datatype": "FP64", "shape": []int{patternRows, 1}, "data": data})
		}
		body, err := json.Marshal(map[string]any{"inputs": inputs})
		if err != nil {
			return nil, err
		}
		if _, _, err := ask(ctx, http.MethodPost, traffic+"/v2/models/m/infer", body, ""); err != nil && !fails {
			return nil, err
		}
	}
	var e *exposition
	err = plane.Await(ctx, 30*time.Second, func() error {
		// As Prometheus 3 asks.
		body, kind, err := ask(ctx, http.MethodGet, admin+"/metrics", nil,
			"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1")
		if err != nil {
			return err
		}
		if !bytes.Contains(body, fmt.Appendf(nil, `leeway_captures_total{model_name="m",model_version="1",result="observed"} %d`, patternRequests)) {
			return fmt.Errorf("not all requests are observed:\n%s", grep(body, "leeway_captures_total"))
		}
		e, err = newExposition(kind, body, patternSeconds)
		return err
	})
	return e, err
}

func grep(body []byte, word string) string {
	var found []string
	for l := range strings.Lines(string(body)) {
		if strings.Contains(l, word) {
			found = append(found, l)
		}
	}
	return strings.Join(found, "")
}

// ask is one request.
func ask(ctx context.Context, method, url string, body []byte, accept string) (answer []byte, contentType string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer got.Body.Close()
	answer, err = io.ReadAll(got.Body)
	if err == nil && got.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %.200s", method, url, got.Status, answer)
	}
	return answer, got.Header.Get("Content-Type"), err
}
