package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/e2e/plane"
)

// calls are what an API server has been asked, by verb and resource.
type calls map[string]float64

// calls reads them from the API server's own metrics.
func (s *stage) calls(ctx context.Context) (calls, error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // its certificate is its own
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.plane.URL+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+plane.Token)
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	return readCalls(string(body))
}

func readCalls(body string) (calls, error) {
	c := calls{}
	for l := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(l, "apiserver_request_total{")
		if !ok {
			continue
		}
		set, value, _ := strings.Cut(rest, "} ")
		x, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", l, err)
		}
		of := map[string]string{}
		for pair := range strings.SplitSeq(set, ",") {
			name, value, _ := strings.Cut(pair, "=")
			of[name] = strings.Trim(value, `"`)
		}
		c[strings.TrimSuffix(of["verb"]+" "+of["resource"]+"/"+of["subresource"], "/")] += x
	}
	return c, nil
}

// minus is what was asked since.
func (c calls) minus(before calls) calls {
	d := calls{}
	for k, x := range c {
		if x -= before[k]; x != 0 {
			d[k] = x
		}
	}
	return d
}

func (c calls) sum() (n float64) {
	for _, x := range c {
		n += x
	}
	return n
}

func (c calls) String() string {
	keys := slices.SortedFunc(maps.Keys(c), func(a, b string) int { return cmp.Or(-cmp.Compare(c[a], c[b]), cmp.Compare(a, b)) })
	var out []string
	for _, k := range keys {
		out = append(out, fmt.Sprintf("%s %.0f", k, c[k]))
	}
	return strings.Join(out, ", ")
}
