package peer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/embedded"
)

// SnapshotPath is where a controller gives its storage, from ?since= on, in
// milliseconds since 1970, as a tar stream (embedded.Snapshot).
const SnapshotPath = "/leeway/v1/snapshot"

// Snapshots serves SnapshotPath: it gives the storage to a replica that was away. It
// asks for no token: the caller puts that in front.
func Snapshots(e *embedded.Engine, log *zap.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { give(e, log, w, req) })
}

func give(e *embedded.Engine, log *zap.Logger, w http.ResponseWriter, req *http.Request) {
	since, err := strconv.ParseInt(req.FormValue("since"), 10, 64)
	if err != nil {
		http.Error(w, "since: milliseconds since 1970 are wanted", http.StatusBadRequest)
		return
	}
	await(req.Context(), e, time.Now())
	s, err := e.Snapshot(req.Context(), time.UnixMilli(since))
	switch {
	case errors.Is(err, embedded.ErrBusy):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case err != nil:
		log.Error("give a snapshot", zap.Error(err))
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() {
		if err := s.Close(); err != nil {
			log.Error("remove a snapshot", zap.Error(err))
		}
	}()
	who := ""
	if id := auth.From(req.Context()); id != nil {
		who = id.Pod
	}
	log.Info("another replica copies what it has missed", zap.String("replica", who), zap.Int64("bytes", s.Bytes))
	w.Header().Set("Content-Type", "application/x-tar")
	w.Header().Set("Connection", "close") // its deadline is not for others
	if err := s.Write(patient{w, http.NewResponseController(w)}); err != nil {
		log.Warn("a snapshot was not taken whole", zap.String("replica", who), zap.Error(err))
		panic(http.ErrAbortHandler) // so that the other side sees that it isn't whole
	}
}

// await waits until all has come that was measured before a time, for a minute at
// most: the other replica may have had it, and lost it. A node's samples come in their
// order; one that has been silent for long is not waited for.
func await(ctx context.Context, e *embedded.Engine, before time.Time) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := before.Add(time.Minute); time.Now().Before(deadline); {
		if !slices.ContainsFunc(e.Sources(), func(s embedded.Source) bool {
			return s.Newest.Before(before) && before.Sub(s.Newest) < quietFor
		}) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// patient is an answer that may take as long as it wants, but not stand still.
type patient struct {
	io.Writer
	control *http.ResponseController
}

func (p patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(quietFor)); err != nil {
		return 0, err
	}
	return p.Writer.Write(b)
}
