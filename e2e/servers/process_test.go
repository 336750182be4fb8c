package servers_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
)

// start starts a program that ends with the test. If that has failed, the end of
// what the program said is shown.
func start(ctx context.Context, t *testing.T, configure func(*exec.Cmd), name string, args ...string) (ended <-chan struct{}) {
	t.Helper()
	var said child.Output
	cmd := child.Command(ctx, name, args...)
	cmd.Stderr = &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	configure(cmd)
	if cmd.Stdout == nil {
		cmd.Stdout = &said
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait() // how it ends does not matter: what it did was checked
		close(done)
	}()
	t.Cleanup(func() {
		cmd.Cancel() // fails only if it has ended
		<-done
		if t.Failed() {
			t.Logf("%s said at the end:\n%s", cmd, said.Tail(4000))
		}
	})
	return done
}

// await polls until there is no error, at most for a minute, and not longer than
// a program runs.
func await(t *testing.T, what string, ended <-chan struct{}, ready func() error) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s has ended before it was ready (%v)", what, err)
		case <-deadline:
			t.Fatalf("%s is not ready after a minute: %v", what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// answers200 checks a URL.
func answers200(url string) func() error {
	client := http.Client{Timeout: 5 * time.Second}
	return func() error {
		answer, err := client.Get(url)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", url, answer.Status)
		}
		return nil
	}
}

// accepts checks that an address takes connections.
func accepts(address string) func() error {
	return func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// freePort is a port of the loopback address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
