package testbed

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Traffic sends rows to one model at a steady pace, and counts how it answers.
type Traffic struct {
	URL  string
	Rows [][]byte
	// PerSecond is how many requests the model gets.
	PerSecond int

	mu       sync.Mutex
	answered int
	faulty   int      // errors that the model made up
	lost     []string // answers that the model did not give, with the time
}

// Start sends until the test ends, from when the Service has come to know its
// first pod: that is a little after the pod is ready.
func (f *Traffic) Start(t *testing.T) {
	patient := http.Client{Timeout: 2 * time.Second}
	Eventually(t, 20*time.Second, func() error {
		answer, err := patient.Get(f.URL)
		if err == nil {
			answer.Body.Close()
		}
		return err
	})
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
	ended.Go(func() { f.run(ctx) })
}

func (f *Traffic) run(ctx context.Context) {
	transport := &http.Transport{}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	defer transport.CloseIdleConnections()
	tick := time.NewTicker(time.Second / time.Duration(f.PerSecond))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if i%f.PerSecond == 0 { // as good clients do: sooner than a server's grace ends
			transport.CloseIdleConnections()
		}
		f.ask(client, f.Rows[i%len(f.Rows)])
	}
}

// ask sends one row, once.
func (f *Traffic) ask(client *http.Client, row []byte) {
	request, err := http.NewRequest(http.MethodPost, f.URL, bytes.NewReader(row))
	if err != nil {
		panic(err) // of the test itself
	}
	request.GetBody = nil // one attempt: nothing to send again
	answer, err := client.Do(request)
	var said []byte
	if err == nil {
		said, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil:
		f.lost = append(f.lost, time.Now().UTC().Format("15:04:05.000 ")+err.Error())
	case answer.Header.Get("X-Flights-Fault") != "":
		f.faulty++
	case answer.StatusCode != http.StatusOK:
		f.lost = append(f.lost, fmt.Sprintf("%s %s %.200s", time.Now().UTC().Format("15:04:05.000"), answer.Status, said))
	default:
		f.answered++
	}
}

// Counts are the answers so far.
func (f *Traffic) Counts() (answered, faulty int, lost []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answered, f.faulty, slices.Clone(f.lost)
}

// requests reads rows of training data and makes a V2 request of each.
func requests(path string, most int) (bodies [][]byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := csv.NewReader(file)
	header, err := in.Read()
	if err != nil {
		return nil, err
	}
	for len(bodies) < most {
		row, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		body, err := request(header, row)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}

func request(header, row []string) ([]byte, error) {
	var inputs []map[string]any
	for i, name := range header {
		if name == "air_time" || name == "prediction" { // what is to be told, and what was
			continue
		}
		input := map[string]any{"name": name, "shape": []int{1}, "datatype": "BYTES", "data": []any{row[i]}}
		if x, err := strconv.ParseFloat(row[i], 64); err == nil {
			input["datatype"], input["data"] = "FP64", []any{x}
		}
		inputs = append(inputs, input)
	}
	return json.Marshal(map[string]any{"inputs": inputs})
}
