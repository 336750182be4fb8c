// Package serve is the example's model server. It speaks the Open Inference
// Protocol (V2, REST) and knows nothing of Leeway.
package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/model"
)

// FaultHeader marks an error that the bad release of the example makes up, so
// that a client can tell it from one that the infrastructure made.
const FaultHeader = "X-Flights-Fault"

const bodyLimit = 1 << 20

// Tensor is an input or output of the V2 protocol.
type Tensor struct {
	Name     string `json:"name"`
	Shape    []int  `json:"shape"`
	Datatype string `json:"datatype"`
	Data     []any  `json:"data"`
}

// Request is a V2 inference request with a tensor for every feature.
type Request struct {
	ID     string   `json:"id,omitempty"`
	Inputs []Tensor `json:"inputs"`
}

// Response is a V2 inference response. Its one output is the air time in minutes.
type Response struct {
	ModelName    string   `json:"model_name"`
	ModelVersion string   `json:"model_version"`
	ID           string   `json:"id,omitempty"`
	Outputs      []Tensor `json:"outputs"`
}

// Handler answers for one model.
func Handler(m *model.Model, name, version string) http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{}`) }
	mux.HandleFunc("GET /v2/health/live", ok)
	mux.HandleFunc("GET /v2/health/ready", ok)
	mux.HandleFunc("GET /v2/models/"+name+"/ready", ok)
	mux.HandleFunc("POST /v2/models/"+name+"/infer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if m.FailRatio > 0 && rand.Float64() < m.FailRatio {
			w.Header().Set(FaultHeader, "injected")
			refuse(w, http.StatusInternalServerError, errors.New("this release is broken, on purpose"))
			return
		}
		var request Request
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit)).Decode(&request); err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		flights, err := rows(request)
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		out := Tensor{Name: "prediction", Shape: []int{len(flights)}, Datatype: "FP64"}
		for _, f := range flights {
			out.Data = append(out.Data, m.Predict(f))
		}
		json.NewEncoder(w).Encode(Response{name, version, request.ID, []Tensor{out}})
	})
	return mux
}

func refuse(w http.ResponseWriter, code int, err error) {
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

// rows turns columns into flights. A column that is absent is missing in every
// row: the model copes, as models in production do.
func rows(request Request) ([]data.Flight, error) {
	if len(request.Inputs) == 0 || len(request.Inputs[0].Data) == 0 {
		return nil, errors.New("no inputs")
	}
	flights := make([]data.Flight, len(request.Inputs[0].Data))
	for i := range flights {
		for n := range flights[i].Numbers {
			flights[i].Numbers[n] = math.NaN()
		}
	}
	for _, in := range request.Inputs {
		if len(in.Data) != len(flights) {
			return nil, fmt.Errorf("input %s has %d rows, the first has %d", in.Name, len(in.Data), len(flights))
		}
		n, c := slices.Index(data.Numbers, in.Name), slices.Index(data.Categories, in.Name)
		for i, v := range in.Data {
			switch v := v.(type) {
			case float64:
				if n >= 0 {
					flights[i].Numbers[n] = v
				}
			case string:
				if c >= 0 {
					flights[i].Categories[c] = v
				}
			}
		}
	}
	return flights, nil
}

// Run serves until ctx ends, then lets requests in flight finish.
func Run(ctx context.Context, addr string, h http.Handler) error {
	server := &http.Server{Addr: addr, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
