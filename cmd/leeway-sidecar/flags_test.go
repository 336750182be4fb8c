package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// parse runs the command line with an environment and returns what it would run with.
func parse(env map[string]string, args ...string) (o options, err error) {
	c := command(func(k string) (string, bool) { v, ok := env[k]; return v, ok }, func(_ context.Context, got options) error { o = got; return nil })
	c.SetArgs(args)
	c.SetOut(io.Discard)
	return o, c.Execute()
}

func TestFlags(t *testing.T) {
	o, err := parse(map[string]string{"LEEWAY_MODEL": "env", "LEEWAY_MAX_BODY": "64KiB", "LEEWAY_PROFILE_DIGEST": "", "LEEWAY_GRACE": "3s", "LEEWAY_SAMPLE_RATIO": "0.5", "LEEWAY_MAX_FEATURES": "64", "LEEWAY_REDACT": "a,b"}, "--model", "flag", "--capture-budget=2MiB")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(o.Model, " ", o.MaxBody, " ", o.CaptureBudget, " ", o.Grace, " ", o.SampleRatio, " ", o.MaxFeatures, " ", o.Redact, " ", o.Listen, " ", o.AdminListen, " ", o.Upstream)
	want := fmt.Sprint("flag ", 64<<10, " ", 2<<20, " ", 3*time.Second, " 0.5 64 [a b] :8090 :9095 http://127.0.0.1:8080")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTLSFlags(t *testing.T) {
	env := map[string]string{"LEEWAY_TLS_CERT": "a", "LEEWAY_TLS_KEY": "b"}
	for _, c := range []struct {
		protocols, want string
		args            []string
	}{
		{"", "a b [http/1.1]", nil},
		{"h2,http/1.1", "a b [h2 http/1.1]", nil},
		{"h2,http/1.1", "c b [h2]", []string{"--tls-cert=c", "--tls-protocols=h2"}},
	} {
		env["LEEWAY_TLS_PROTOCOLS"] = c.protocols
		o, err := parse(env, c.args...)
		if got := fmt.Sprint(o.TLSCert, " ", o.TLSKey, " ", o.TLSProtocols); err != nil || got != c.want {
			t.Errorf("%q, %v: %s, %v, want %s", c.protocols, c.args, got, err, c.want)
		}
	}
}

func TestFlagErrors(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		args []string
		say  string
	}{
		{map[string]string{"LEEWAY_MAX_BODY": "much"}, nil, "LEEWAY_MAX_BODY"},
		{nil, []string{"--max-body", "-1"}, "16MiB"},
		{nil, []string{"--capture-budget", "99999999GiB"}, "number of bytes"},
		{nil, []string{"--no-such"}, "no-such"},
		{nil, []string{"extra"}, "extra"},
	} {
		if _, err := parse(c.env, c.args...); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%v %v: %v", c.env, c.args, err)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]string{"1048576": "1MiB", "512KiB": "512KiB", "1GiB": "1024MiB", "1000": "1000"} {
		var s size
		if err := s.Set(text); err != nil || s.String() != want {
			t.Errorf("%s: %s, %v", text, &s, err)
		}
	}
}
