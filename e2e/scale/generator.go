package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// adminPort is the sidecars'.
const adminPort = 9095

// generator plays sidecars on loopback addresses of their own.
type generator struct {
	began   time.Time
	servers []*http.Server
}

// podIP is the loopback address of a played pod.
func podIP(i int) string { return fmt.Sprintf("127.2.%d.%d", i/250, i%250+1) }

// generate plays so many sidecars until Close.
func generate(ctx context.Context, e *exposition, pods int) (*generator, error) {
	g := &generator{began: time.Now()}
	for i := range pods {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("%s:%d", podIP(i), adminPort))
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		var mu sync.Mutex
		played, buffer := e.newSidecar(uint64(i)), &bytes.Buffer{}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			played.advance(time.Since(g.began).Seconds())
			buffer.Reset()
			played.write(buffer)
			w.Header().Set("Content-Type", e.contentType)
			_, _ = w.Write(buffer.Bytes())
		})
		s := &http.Server{Handler: mux}
		g.servers = append(g.servers, s)
		go func() { _ = s.Serve(l) }()
	}
	return g, nil
}

// Close ends all of them.
func (g *generator) Close() error {
	var errs []error
	for _, s := range g.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// drain reads to the end.
func drain(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
