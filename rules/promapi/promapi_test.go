package promapi_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules/promapi"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const empty = `{"status":"success","data":{"resultType":"vector","result":[]}}`

// serve answers every request with the same.
func serve(t *testing.T, answer string) *promapi.Client {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
	t.Cleanup(h.Close)
	c, err := promapi.New(promapi.Config{URL: h.URL, MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnswers(t *testing.T) {
	result := func(kind, result string) string {
		return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
	}
	tests := []struct{ name, answer, want string }{
		{"vector", result("vector", `[{"metric":{"a":"b"},"value":[1.5,"2"]}]`), `[{{a="b"} [{1500 2}]}]`},
		{"scalar", result("scalar", `[1,"+Inf"]`), `[{{} [{1000 +Inf}]}]`},
		{"matrix", result("matrix", `[{"metric":{},"values":[[1,"2"],[2,"3"]]}]`), `[{{} [{1000 2} {2000 3}]}]`},
		{"empty", empty, `[]`},
		{"string", result("string", `[1,"x"]`), `the result is a "string"`},
		{"native histogram", result("vector", `[{"metric":{},"histogram":[1,{}]}]`), "is a native histogram"},
		{"no value", result("vector", `[{"metric":{}}]`), "has no value"},
		{"no number", result("vector", `[{"metric":{},"value":[1,"x"]}]`), "value of a sample"},
		{"value unquoted", result("vector", `[{"metric":{},"value":[1,2]}]`), "value of a sample"},
		{"warning", `{"status":"success","warnings":["a store is away"],"data":{"resultType":"vector","result":[]}}`, "the answer is partial: a store is away"},
		{"error", `{"status":"error","errorType":"bad_data","error":"no"}`, "status 200, bad_data: no"},
		{"no JSON", "<html>", "no answer of a Prometheus"},
		{"JSON of something else", `{"ok":true}`, "no answer of a Prometheus"},
		{"cut off", empty[:40], "no answer of a Prometheus"},
		{"too long", `{"status":"success","data":"` + strings.Repeat("x", 1000) + `"}`, "longer than 1000 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			series, err := serve(t, tt.answer).Query(t.Context(), "up", time.Unix(1, 0))
			got := "["
			for i, s := range series {
				if i > 0 {
					got += " "
				}
				got += fmt.Sprintf("{%s [", s.Labels)
				for j, p := range s.Points {
					if j > 0 {
						got += " "
					}
					got += fmt.Sprintf("{%d %g}", p.Time.UnixMilli(), p.Value)
				}
				got += "]}"
			}
			got += "]"
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	if _, err := serve(t, `{"status":"success","isPartial":true,"data":{}}`).Query(t.Context(), "up", time.Now()); !errors.Is(err, promapi.ErrPartial) {
		t.Error(err)
	}
}

// Credentials go along, from files that are read again as they change.
func TestCredentials(t *testing.T) {
	var got string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization") + r.Header.Get("X-Scope-OrgID")
		fmt.Fprint(w, empty)
	}))
	defer h.Close()
	ask := func(c promapi.Config) string {
		t.Helper()
		c.URL = h.URL
		client, err := promapi.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Query(t.Context(), "up", time.Now()); err != nil {
			t.Fatal(err)
		}
		return got
	}
	token := write(t, "token", "first\n")
	client, err := promapi.New(promapi.Config{URL: h.URL, TokenFile: token})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(token, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Query(t.Context(), "up", time.Now()); err != nil || got != "Bearer "+want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if got := ask(promapi.Config{Username: "u", PasswordFile: write(t, "password", "p")}); got != "Basic dTpw" {
		t.Error(got)
	}
	if got := ask(promapi.Config{Headers: map[string]string{"X-Scope-OrgID": "team"}}); got != "team" {
		t.Error(got)
	}
	if _, err := promapi.New(promapi.Config{URL: h.URL, TokenFile: token, Username: "u"}); err == nil {
		t.Error("a token and a user")
	}
}

func TestTLS(t *testing.T) {
	h := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, empty) }))
	defer h.Close()
	h.Config.ErrorLog = nil
	ca := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})))
	trusts, err := promapi.New(promapi.Config{URL: h.URL, CAFile: ca})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trusts.Query(t.Context(), "up", time.Now()); err != nil {
		t.Error(err)
	}
	doubts, err := promapi.New(promapi.Config{URL: h.URL})
	if err != nil {
		t.Fatal(err)
	}
	var unknown *tls.CertificateVerificationError
	if _, err := doubts.Query(t.Context(), "up", time.Now()); !errors.As(err, &unknown) {
		t.Errorf("a certificate of nobody's is believed: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for url, want := range map[string]string{
		"prometheus:9090":         "is not a URL",
		"ftp://prometheus":        "is not a URL",
		"http://u:p@prometheus":   "holds a password",
		"http://prometheus?a=b":   "leave that out",
		"http://prometheus/a#top": "leave that out",
	} {
		if _, err := promapi.New(promapi.Config{URL: url}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNarrow(t *testing.T) {
	tests := []struct{ matcher, expr, want string }{
		{"", "a + b", "a + b"},
		{`c="x"`, "a", `a{c="x"}`},
		{`{c="x"}`, `sum by (k) (rate(a{k="v"}[5m] offset 1h)) / on (k) b > 1`, `sum by (k) (rate(a{c="x",k="v"}[5m] offset 1h)) / on (k) b{c="x"} > 1`},
		{`c="x",d=~"y|z"`, `max_over_time(a[1h:1m])`, `max_over_time(a{c="x",d=~"y|z"}[1h:1m])`},
		{`c="x"`, `a{c="y"}`, `a{c="x",c="y"}`}, // selects nothing, as it should
		{`c="x"`, `"a" == 1 and a{l="}"}`, ""},
		{`c="q\"}"`, `a{l="},{"}`, `a{c="q\"}",l="},{"}`},
		{`c="x"`, "time()", "time()"},
	}
	for _, tt := range tests {
		matchers, err := promapi.ParseMatchers(tt.matcher)
		if err != nil {
			t.Fatal(err)
		}
		got, err := promapi.Narrow(tt.expr, matchers)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: narrowed to %s", tt.expr, got)
			}
			continue
		}
		// In which order the matchers of a selector are printed is the parser's.
		if err != nil || len(got) != len(tt.want) || sorted(got) != sorted(tt.want) {
			t.Errorf("%s with %s: %s, %v; want %s", tt.expr, tt.matcher, got, err, tt.want)
		}
	}
	for _, bad := range []string{"a", `c!="x"`, `c=~".*"`, "c=", `__name__="a"`} {
		if _, err := promapi.ParseMatchers(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func sorted(s string) string {
	b := []byte(s)
	for i := range b {
		for j := i + 1; j < len(b); j++ {
			if b[j] < b[i] {
				b[i], b[j] = b[j], b[i]
			}
		}
	}
	return string(b)
}
