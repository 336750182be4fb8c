package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// feed sends what the pods say to both controllers, as the agents of their nodes
// do, until ctx ends.
func (f *fleet) feed(ctx context.Context, urls []string, every func() time.Duration, failed *atomic.Pointer[error], sent *atomic.Int64) {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	began := time.Now()
	work := make(chan string)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for node := range work {
				r := f.scrape(node, time.Since(began).Seconds())
				for _, url := range urls {
					if err := r.send(ctx, client, url, f.tokens[node]); err != nil && ctx.Err() == nil {
						failed.Store(&err)
						continue
					}
					sent.Add(int64(r.samples))
				}
			}
		})
	}
	defer senders.Wait()
	defer close(work)
	var names []string
	for node := range f.nodes {
		names = append(names, node)
	}
	slices.Sort(names)
	for round := time.Now(); ctx.Err() == nil; {
		for i, node := range names {
			due := round.Add(every() * time.Duration(i) / time.Duration(len(names)))
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(due)):
			}
			select {
			case <-ctx.Done():
				return
			case work <- node:
			}
		}
		round = round.Add(every())
		if late := time.Since(round); late > 0 {
			round = round.Add(late)
		}
		time.Sleep(time.Until(round))
	}
}

// scrape is what a node's pods say now.
func (f *fleet) scrape(node string, seconds float64) *request {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, r := time.Now(), newRequest()
	for _, p := range f.nodes[node] {
		p.serves.advance(seconds)
		i := 0
		p.serves.each(func(_ string, value float64) {
			if p.labels[i] != nil {
				r.add(p.labels[i], value, now)
			}
			i++
		})
	}
	return r
}
