package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// label of a series.
type label struct{ name, value string }

// request is a remote-write request of protocol 2.0, as a node agent sends it. It
// is written by hand: Prometheus' own code is not in this module.
type request struct {
	symbols map[string]uint64
	table   []byte
	series  []byte
	samples int
}

func newRequest() *request {
	r := &request{symbols: map[string]uint64{}}
	r.symbol("") // has to be the first
	return r
}

func (r *request) symbol(s string) uint64 {
	if i, ok := r.symbols[s]; ok {
		return i
	}
	i := uint64(len(r.symbols))
	r.symbols[s] = i
	r.table = protowire.AppendTag(r.table, 4, protowire.BytesType)
	r.table = protowire.AppendString(r.table, s)
	return i
}

// add puts in one sample of a series, whose labels must be in order.
func (r *request) add(labels []label, value float64, at time.Time) {
	var refs, sample, series []byte
	for _, l := range labels {
		refs = protowire.AppendVarint(refs, r.symbol(l.name))
		refs = protowire.AppendVarint(refs, r.symbol(l.value))
	}
	sample = protowire.AppendTag(sample, 1, protowire.Fixed64Type)
	sample = protowire.AppendFixed64(sample, math.Float64bits(value))
	sample = protowire.AppendTag(sample, 2, protowire.VarintType)
	sample = protowire.AppendVarint(sample, uint64(at.UnixMilli()))
	series = protowire.AppendTag(series, 1, protowire.BytesType)
	series = protowire.AppendBytes(series, refs)
	series = protowire.AppendTag(series, 2, protowire.BytesType)
	series = protowire.AppendBytes(series, sample)
	r.series = protowire.AppendTag(r.series, 5, protowire.BytesType)
	r.series = protowire.AppendBytes(r.series, series)
	r.samples++
}

// send posts it.
func (r *request) send(ctx context.Context, client *http.Client, url, token string) error {
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v1/write", bytes.NewReader(literal(append(r.table, r.series...))))
	if err != nil {
		return err
	}
	post.Header.Set("Authorization", "Bearer "+token)
	post.Header.Set("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
	post.Header.Set("Content-Encoding", "snappy")
	post.Header.Set("X-Prometheus-Remote-Write-Version", "2.0.0")
	answer, err := client.Do(post)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var said bytes.Buffer
	_, _ = said.ReadFrom(answer.Body)
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s: %.300s", url, answer.Status, said.String())
	}
	return nil
}

// literal is a block of snappy that compresses nothing.
func literal(b []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(len(b)))
	for part := range slices.Chunk(b, 1<<16) {
		n := len(part) - 1
		out = append(out, 61<<2, byte(n), byte(n>>8))
		out = append(out, part...)
	}
	return out
}

// labelsOf reads the labels of a series in an exposition, and puts in those that a
// node agent attaches and those of a model.
func labelsOf(text string, with ...label) []label {
	name, rest, _ := strings.Cut(strings.TrimSpace(text), "{")
	labels := append([]label{{"__name__", name}}, with...)
	for rest = strings.TrimSuffix(rest, "}"); rest != ""; {
		n, more, _ := strings.Cut(rest, `="`)
		value, after, _ := strings.Cut(more, `"`) // none of ours has a quote in it
		rest = strings.TrimPrefix(after, ",")
		if !slices.ContainsFunc(labels, func(l label) bool { return l.name == n }) {
			labels = append(labels, label{n, value})
		}
	}
	slices.SortFunc(labels, func(a, b label) int { return strings.Compare(a.name, b.name) })
	return labels
}
