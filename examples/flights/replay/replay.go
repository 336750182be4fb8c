// Package replay sends real flights to a model server at a steady pace, posts
// their true air times back as late labels, and keeps score: of what failed, of
// who answered, and of how wrong the answers were.
package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/serve"
)

// Config of a replay.
type Config struct {
	URL     string // of the model's infer endpoint
	Rate    float64
	Workers int
	// ConnectionFor is how long a connection is used, before the client closes
	// it: shorter than the servers' grace, as good clients do.
	ConnectionFor time.Duration
	Timeout       time.Duration
	// LabelDelay is how long after a prediction its truth is known.
	LabelDelay time.Duration
	// Feedback posts labels; it keeps trying until ctx ends.
	Feedback func(ctx context.Context, labels []Label)
	// Rows receives the labelled rows, for a trainer to find, with the time when
	// the first of them was sent.
	Rows func(ctx context.Context, sent time.Time, rows []data.Flight)
}

// Label is one row of feedback.
type Label struct {
	Namespace string  `json:"namespace"`
	Model     string  `json:"model"`
	Version   string  `json:"version"`
	Predicted float64 `json:"predicted"`
	Actual    float64 `json:"actual"`
}

// Kind says how one request ended.
type Kind uint8

// Lost is an answer that the model server did not give: refused, reset, timed
// out, or made up by something in between. Faulty is an error of the model
// server's own.
const (
	Answered Kind = iota
	Faulty
	Lost
)

// Result of one request.
type Result struct {
	At      time.Time // when it was sent
	Kind    Kind
	Version string
	Error   float64 // absolute, in minutes; only when Answered
	Detail  string  // what went wrong, when Lost
}

// Replay runs until its context ends.
type Replay struct {
	config Config

	mu      sync.Mutex
	rows    []data.Flight
	next    int
	without string // an input that is left out
	paused  bool
	results []Result
}

// New makes a replay that is paused until it has rows.
func New(c Config) *Replay { return &Replay{config: c, paused: true} }

// Send changes the rows that are sent, in a circle.
func (r *Replay) Send(rows []data.Flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows, r.next, r.paused = rows, 0, false
}

// Pause stops sending.
func (r *Replay) Pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = true
}

// Without leaves out an input, as a broken pipeline would; "" leaves out none.
func (r *Replay) Without(input string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.without = input
}

// take returns the next row to send.
func (r *Replay) take() (f data.Flight, without string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paused || len(r.rows) == 0 {
		return f, "", false
	}
	f = r.rows[r.next%len(r.rows)]
	r.next++
	return f, r.without, true
}

// Run sends until ctx ends.
func (r *Replay) Run(ctx context.Context) {
	labels := make(chan late, 1<<16)
	var senders, posters sync.WaitGroup
	posters.Go(func() { r.post(ctx, labels) })
	start := time.Now()
	for w := range r.config.Workers {
		senders.Go(func() { r.work(ctx, w, start, labels) })
	}
	senders.Wait()
	close(labels)
	posters.Wait()
}

// work is one sender. It keeps to the timetable that start and the rate give,
// and to one connection for a while.
func (r *Replay) work(ctx context.Context, worker int, start time.Time, labels chan<- late) {
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: r.config.Timeout}).DialContext, MaxIdleConns: 1}
	client := &http.Client{Transport: transport, Timeout: r.config.Timeout}
	defer transport.CloseIdleConnections()
	every := time.Duration(float64(r.config.Workers) / r.config.Rate * float64(time.Second))
	due := start.Add(every * time.Duration(worker) / time.Duration(r.config.Workers))
	renew := time.Now().Add(r.config.ConnectionFor)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		if due = due.Add(every); time.Since(due) > time.Second { // never a burst to catch up
			due = time.Now()
		}
		if time.Now().After(renew) {
			transport.CloseIdleConnections()
			renew = time.Now().Add(r.config.ConnectionFor)
		}
		f, without, ok := r.take()
		if !ok {
			continue
		}
		result, predicted := r.ask(client, f, without)
		r.mu.Lock()
		r.results = append(r.results, result)
		r.mu.Unlock()
		if result.Kind == Answered {
			labels <- late{result.At.Add(r.config.LabelDelay), f, Label{Version: result.Version, Predicted: predicted, Actual: f.AirTime}}
		}
	}
}

// ask sends one row, once.
func (r *Replay) ask(client *http.Client, f data.Flight, without string) (Result, float64) {
	result := Result{At: time.Now(), Kind: Lost}
	body := encode(f, without)
	request, err := http.NewRequest(http.MethodPost, r.config.URL, bytes.NewReader(body))
	if err != nil {
		result.Detail = err.Error()
		return result, 0
	}
	request.GetBody = nil // one attempt: nothing to send again
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		result.Detail = err.Error()
		return result, 0
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		result.Detail = err.Error()
		return result, 0
	}
	if answer.Header.Get(serve.FaultHeader) != "" {
		result.Kind = Faulty
		return result, 0
	}
	var response serve.Response
	if err := json.Unmarshal(b, &response); err != nil || answer.StatusCode != http.StatusOK || len(response.Outputs) != 1 {
		result.Detail = strconv.Itoa(answer.StatusCode) + " " + string(b[:min(len(b), 200)])
		return result, 0
	}
	predicted, _ := response.Outputs[0].Data[0].(float64)
	result.Kind, result.Version, result.Error = Answered, response.ModelVersion, math.Abs(predicted-f.AirTime)
	return result, predicted
}

// encode makes a V2 request with a tensor of one element for every feature.
func encode(f data.Flight, without string) []byte {
	var request serve.Request
	for i, name := range data.Numbers {
		request.Inputs = append(request.Inputs, serve.Tensor{Name: name, Shape: []int{1}, Datatype: "FP64", Data: []any{f.Numbers[i]}})
	}
	for i, name := range data.Categories {
		request.Inputs = append(request.Inputs, serve.Tensor{Name: name, Shape: []int{1}, Datatype: "BYTES", Data: []any{f.Categories[i]}})
	}
	kept := request.Inputs[:0]
	for _, t := range request.Inputs {
		if t.Name != without {
			kept = append(kept, t)
		}
	}
	request.Inputs = kept
	b, err := json.Marshal(request)
	if err != nil {
		panic(err) // numbers of the data are finite
	}
	return b
}
