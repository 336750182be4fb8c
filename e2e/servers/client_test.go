package servers_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"testing"
)

// exchange is one answer that a client was given, and what should be counted of
// it: see testdata/client.py.
type exchange struct {
	Answer      json.RawMessage
	Observed    bool // it is an inference, or a message of a stream
	Rows        [][]any
	Predictions []any
}

// runnable is a case of a client.
type runnable struct {
	Name, Endpoint string
	Refused        int // so many exchanges are answered without predictions
}

// client is a Python program that runs cases when it is told to.
type client struct {
	in    io.Writer
	out   *bufio.Reader
	cases []runnable
}

// startClient starts a script with the address of each endpoint.
func (s *setup) startClient(ctx context.Context, t *testing.T, environment, script string, addresses map[string]string) *client {
	t.Helper()
	args := []string{"-u", "testdata/" + script}
	for name, address := range addresses {
		args = append(args, name+"="+address)
	}
	c := &client{}
	start(ctx, t, func(cmd *exec.Cmd) {
		s.in(environment)(cmd)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		c.in, c.out = in, bufio.NewReader(out)
	}, s.program(environment, "python"), args...)
	if err := json.Unmarshal(c.read(t), &c.cases); err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs a case, and gives what the client said of it.
func (c *client) run(t *testing.T, name string) []byte {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, name); err != nil {
		t.Fatalf("case %s: %v", name, err)
	}
	return c.read(t)
}

func (c *client) read(t *testing.T) []byte {
	t.Helper()
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the client has ended: %v", err)
	}
	return line
}

// same checks that both clients were answered the same, and gives what the one
// that talked to the server itself says.
func same(t *testing.T, direct, through []byte) (exchanges []exchange) {
	t.Helper()
	var want, have []json.RawMessage
	if err := errors.Join(json.Unmarshal(direct, &want), json.Unmarshal(through, &have), json.Unmarshal(direct, &exchanges)); err != nil {
		t.Fatal(err)
	}
	if len(want) == 0 || len(have) != len(want) {
		t.Fatalf("%d exchanges through the sidecar, %d without it; want some, and as many", len(have), len(want))
	}
	for i := range want {
		if !bytes.Equal(have[i], want[i]) {
			t.Fatalf("exchange %d of %d differs through the sidecar:\n%.2000s\nwithout it:\n%.2000s", i, len(want), have[i], want[i])
		}
	}
	return exchanges
}

// check says whether a case was what it is meant to be: predictions for all rows
// but for those that are refused.
func (c runnable) check(exchanges []exchange) error {
	refused := 0
	for i, e := range exchanges {
		if len(e.Rows) == 0 || string(e.Answer) == "null" { // a message of a stream
			continue
		}
		if len(e.Predictions) == 0 {
			refused++
		} else if len(e.Predictions) != len(e.Rows) {
			return fmt.Errorf("exchange %d has %d predictions for %d rows", i, len(e.Predictions), len(e.Rows))
		}
	}
	if refused != c.Refused {
		return fmt.Errorf("%d exchanges were refused, want %d", refused, c.Refused)
	}
	return nil
}
