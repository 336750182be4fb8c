package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// centre is where in their range most rows of a training lie. All have the same
// range: what is beyond it would be taken for broken.
type centre string

const (
	cold centre = "cold"
	warm centre = "warm"
	hot  centre = "hot"
)

// row is one number from 0 to 10.
func (c centre) row(r *rand.Rand) float64 {
	u := r.Float64()
	switch c {
	case warm:
		return 10 * (1 - u*u*u)
	case hot:
		return 10 * (0.45 + 0.1*u)
	}
	return 10 * u * u * u
}

// predict is what every version answers: even numbers from 0 to 1, wherever the
// rows lie, so that a version is told from another by its inputs and its errors
// alone.
func predict(x float64) float64 { return 1000*x - math.Floor(1000*x) }

// trainingRows writes the rows of a training, with what the model made of them.
func trainingRows(c centre) []byte {
	var b strings.Builder
	b.WriteString("x,prediction\n")
	r := rand.New(rand.NewPCG(1, 1))
	for range 4000 {
		x := c.row(r)
		fmt.Fprintf(&b, "%.6f,%.6f\n", x, predict(x))
	}
	return []byte(b.String())
}

// artifact of a version.
type artifact struct {
	FailRatio float64 `json:"failRatio,omitempty"`
}

// serveModel answers V2 requests by an artifact.
func serveModel(ctx context.Context, address, path string) (*http.Server, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var a artifact
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	var answered atomic.Int64
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Inputs []struct{ Data []float64 } }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Inputs) != 1 {
			http.Error(w, "no rows", http.StatusBadRequest)
			return
		}
		if n := answered.Add(1); math.Floor(float64(n)*a.FailRatio) > math.Floor(float64(n-1)*a.FailRatio) {
			http.Error(w, "a fault of this version", http.StatusInternalServerError)
			return
		}
		out := make([]float64, len(in.Inputs[0].Data))
		for i, x := range in.Inputs[0].Data {
			out[i] = predict(x)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"model_name": "m", "outputs": []any{
			map[string]any{"name": "y", "datatype": "FP64", "shape": []int{len(out), 1}, "data": out}}})
	})}
	go func() { _ = s.Serve(l) }()
	return s, nil
}

// What every pod is asked: enough for every rule to have something to say.
const (
	requestsPerSecond = 20
	rowsPerRequest    = 10
)

// ask sends rows to every ready pod of a namespace, until ctx ends.
func (w *world) ask(ctx context.Context, m *scene, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(time.Second / requestsPerSecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, p := range w.kubelet.ready(m.namespace) {
			rows := make([]float64, rowsPerRequest)
			at := m.rowsFor(p.version)
			for i := range rows {
				rows[i] = at.row(r)
			}
			body, err := json.Marshal(map[string]any{"inputs": []any{
				map[string]any{"name": "x", "datatype": "FP64", "shape": []int{len(rows), 1}, "data": rows}}})
			if err != nil {
				panic(err) // of numbers
			}
			if answer, err := client.Post("http://"+p.ip+":8090/v2/models/m/infer", "application/json", bytes.NewReader(body)); err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		}
	}
}
