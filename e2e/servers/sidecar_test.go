package servers_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// counts are counters by what they count: "feature hour 03", "prediction minutes
// over", "captures observed", "opaque tls". What is 0 is left out.
type counts map[string]int

// sidecar is a sidecar that runs.
type sidecar struct{ address, admin string }

// startSidecar puts a sidecar in front of a port, with or without a profile.
func startSidecar(ctx context.Context, t *testing.T, program, profile, port string) sidecar {
	t.Helper()
	s := sidecar{"127.0.0.1:" + freePort(t), "http://127.0.0.1:" + freePort(t)}
	args := []string{"--model=rides", "--version=1", "--upstream=http://127.0.0.1:" + port,
		"--listen=" + s.address, "--admin-listen=" + strings.TrimPrefix(s.admin, "http://")}
	if profile != "" {
		args = append(args, "--profile="+profile)
	}
	ended := start(ctx, t, func(*exec.Cmd) {}, program, args...)
	await(t, "the sidecar", ended, answers200(s.admin+"/readyz"))
	return s
}

var (
	series = regexp.MustCompile(`(?m)^leeway_(feature|prediction|captures|opaque)_(?:observations_|connections_)?total\{(.*)\} (\S+)$`)
	label  = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// metrics is the text of all metrics.
func (s sidecar) metrics(t *testing.T) string {
	t.Helper()
	answer, err := http.Get(s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// counts reads what has been counted.
func (s sidecar) counts(t *testing.T) counts {
	t.Helper()
	c := counts{}
	for _, m := range series.FindAllStringSubmatch(s.metrics(t), -1) {
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatalf("%s: %v", m[0], err)
		}
		labels := map[string]string{}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			labels[l[1]] = l[2]
		}
		key := m[1]
		for _, name := range []string{"feature", "output", "bin", "result", "reason"} {
			if v, ok := labels[name]; ok {
				key += " " + v
			}
		}
		if value != 0 {
			c[key] = int(value)
		}
	}
	return c
}

// counted waits until the sidecar has counted exactly so much, and says what is
// different if it does not: it counts off the request path.
func (s sidecar) counted(t *testing.T, want counts) {
	t.Helper()
	var have counts
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if have = s.counts(t); maps.Equal(have, want) {
			return
		}
	}
	for _, what := range slices.Sorted(maps.Keys(union(have, want))) {
		if have[what] != want[what] {
			t.Errorf("counted %s: %d, want %d", what, have[what], want[what])
		}
	}
	clear(want) // what comes next is not to blame
	maps.Copy(want, have)
}

func union(a, b counts) counts {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// add counts what the exchanges of a client say.
func (c counts) add(r reference, exchanges []exchange) error {
	for _, e := range exchanges {
		if e.Observed {
			c["captures observed"]++
		}
		for _, row := range e.Rows {
			if len(row) != len(r.Features) {
				return fmt.Errorf("a row of %d values, want %d: %v", len(row), len(r.Features), row)
			}
			for i, f := range r.Features {
				c["feature "+f.Name+" "+f.bin(row[i])]++
			}
		}
		for _, p := range e.Predictions {
			c["prediction "+r.Predictions[0].Name+" "+r.Predictions[0].bin(p)]++
		}
	}
	return nil
}
