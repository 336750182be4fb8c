package kube

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// listingTimeout bounds a listing that nobody in particular has asked for.
const listingTimeout = 30 * time.Second

// shared lets those who list at the same time share a listing of the namespace. A
// controller asks for the versions of every model of a namespace in the same
// moment, every few seconds; each by itself, that would be most of what it asks of
// the API server.
//
// Who asks gets a listing that was begun after it asked, never one that was under
// way: what it knows to be there, it finds.
type shared struct {
	mu   sync.Mutex
	busy bool
	next *listing // of those who came while another was under way
}

// listing is one that some wait for.
type listing struct {
	model   string // empty: of all models
	done    chan struct{}
	objects []metav1.PartialObjectMetadata
	err     error
}

// there is the metadata of the objects of a model, and maybe of others.
func (s *Store) there(ctx context.Context, model string) ([]metav1.PartialObjectMetadata, error) {
	l, wait := s.shared.join(model)
	if !wait {
		s.run(ctx, l)
	}
	select {
	case <-l.done:
		return l.objects, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join says which listing to wait for, or to run oneself.
func (h *shared) join(model string) (l *listing, wait bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.busy {
		h.busy = true
		return &listing{model: model, done: make(chan struct{})}, false
	}
	if h.next == nil {
		h.next = &listing{model: model, done: make(chan struct{})}
	} else if h.next.model != model {
		h.next.model = ""
	}
	return h.next, true
}

// after is the listing that is due when one has ended, or nil.
func (h *shared) after() *listing {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.next
	h.next, h.busy = nil, l != nil
	return l
}

// run makes a listing, and has those made that are due after it. That who asked
// first goes away must not fail the others.
func (s *Store) run(ctx context.Context, l *listing) {
	l.objects, l.err = s.metadata(ctx, l.model)
	close(l.done)
	next := s.shared.after()
	if next == nil {
		return
	}
	go func() {
		for l := next; l != nil; l = s.shared.after() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listingTimeout)
			l.objects, l.err = s.metadata(ctx, l.model)
			cancel()
			close(l.done)
		}
	}()
}
