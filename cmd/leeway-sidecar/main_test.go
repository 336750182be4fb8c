package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// start runs the whole program with args until the deadline, as SIGTERM would end it.
func start(t *testing.T, args ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	c := command(func(string) (string, bool) { return "", false }, run)
	c.SetArgs(append([]string{"--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--log-level=error"}, args...))
	c.SetOut(io.Discard)
	return c.ExecuteContext(ctx)
}

func TestRunEndsCleanly(t *testing.T) {
	if err := start(t, "--model=m"); err != nil {
		t.Error(err)
	}
}

func TestRunErrors(t *testing.T) {
	for say, args := range map[string][]string{
		"model's name is missing": nil,
		"--profile":               {"--model=m", "--profile=" + filepath.Join(t.TempDir(), "none.json")},
		"--log-level":             {"--model=m", "--log-level=loud"},
		"set both files":          {"--model=m", "--tls-cert=tls.crt"},
		"set the version":         {"--model=m", "--receipts"},
		"upstream":                {"--model=m", "--upstream=127.0.0.1:8080"},
	} {
		if err := start(t, args...); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%v: %v, want an error about %s", args, err, say)
		}
	}
}
