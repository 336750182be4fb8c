package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/node"
	"github.com/leeway-dev/leeway/agent/node/forward"
)

const (
	snapshotPath = "/leeway/v1/snapshot"
	// awayFor is for how long a replica may have been away without copying what it
	// missed: the agents' buffers have that, and four times as much.
	awayFor = 30 * time.Minute
	// lateBy is how much later than others a sample may have come, which is copied
	// again from before the newest that is there.
	lateBy = 150 * time.Minute
	// quietFor is how long a copy may stand still; the peer writes out its head first.
	quietFor = 5 * time.Minute
	// askAgain is when the others are asked again about pods, once they could not be;
	// backAfter is when one that is away is not waited for any more.
	askAgain  = 3 * time.Second
	backAfter = 15 * time.Second
	// maxAnswer bounds what a peer says of a pod.
	maxAnswer = 1 << 20
)

// peers are the other replicas, asked by their API.
type peers struct {
	all       []node.Controller
	tokenFile string
	client    *http.Client
}

func newPeers(c ControllerConfig) peers {
	p := peers{tokenFile: c.TokenFile, client: &http.Client{}}
	for _, one := range c.Controllers {
		if one.Name != c.Pod {
			p.all = append(p.all, one)
		}
	}
	return p
}

// get asks one of them. The answer is 200, and its body the caller's to close.
func (p peers) get(ctx context.Context, peer node.Controller, path string, query url.Values) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, peer.URL+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if err := forward.Authorize(req, p.tokenFile); err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		message, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return nil, fmt.Errorf("controller %s: %s: %s", peer.Name, resp.Status, message)
	}
	return resp.Body, nil
}

// memory is what the others know of pods that this replica has not heard of.
type memory struct {
	peers
	now func() time.Time

	mu     sync.Mutex
	failed time.Time // since when they can't be asked; zero: they can
	tried  time.Time
}

// seen are the pods of a name that the others have taken samples of since a time:
// they knew them when they were there. For as long as a replica takes to come back,
// not to be able to ask is an error; after that nobody remembers.
func (m *memory) seen(ctx context.Context, namespace, name string, since time.Time) ([]auth.Seen, error) {
	m.mu.Lock() // one question after the other: they come in a row
	defer m.mu.Unlock()
	now := m.now()
	if m.failed.IsZero() || now.Sub(m.tried) >= askAgain {
		pods, err := m.ask(ctx, namespace, name, since)
		if err == nil {
			m.failed = time.Time{}
			return pods, nil
		}
		if m.tried = now; m.failed.IsZero() {
			m.failed = now
		}
	}
	if now.Sub(m.failed) < backAfter {
		return nil, errors.New("another controller, which may remember the pod, can't be asked")
	}
	return nil, nil
}

func (m *memory) ask(ctx context.Context, namespace, name string, since time.Time) (pods []auth.Seen, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	query := url.Values{
		"match[]": {fmt.Sprintf("leeway_model_info{job=\"leeway-sidecar\",namespace=%q,pod=%q}", namespace, name)},
		"start":   {strconv.FormatInt(since.Unix(), 10)},
	}
	for _, peer := range m.all {
		body, failed := m.get(ctx, peer, "/api/v1/series", query)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		var answer struct {
			Data []struct {
				Node    string
				Model   string `json:"model_name"`
				Version string `json:"model_version"`
			}
		}
		failed = json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&answer)
		err = errors.Join(err, failed, body.Close())
		for _, s := range answer.Data {
			pods = append(pods, auth.Seen{Node: s.Node, Model: s.Model, Version: s.Version})
		}
	}
	if len(pods) > 0 {
		return pods, nil
	}
	return nil, err
}

// snapshot gives the storage to another replica that was away.
func (r *controller) snapshot(w http.ResponseWriter, req *http.Request) {
	since, err := strconv.ParseInt(req.FormValue("since"), 10, 64)
	if err != nil {
		http.Error(w, "since: milliseconds since 1970 are wanted", http.StatusBadRequest)
		return
	}
	s, err := r.engine.Snapshot(req.Context(), time.UnixMilli(since))
	switch {
	case errors.Is(err, embedded.ErrBusy):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case err != nil:
		r.Logger.Error("give a snapshot", zap.Error(err))
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() {
		if err := s.Close(); err != nil {
			r.Logger.Error("remove a snapshot", zap.Error(err))
		}
	}()
	who := auth.From(req.Context()).Pod
	r.Logger.Info("another replica copies what it has missed", zap.String("replica", who), zap.Int64("bytes", s.Bytes))
	w.Header().Set("Content-Type", "application/x-tar")
	if err := s.Write(w); err != nil {
		r.Logger.Warn("a snapshot was not taken whole", zap.String("replica", who), zap.Error(err))
		panic(http.ErrAbortHandler) // so that the other side sees that it isn't whole
	}
}

// catchUp copies from the others what this replica has missed, where it was away
// for longer than the agents remember for certain, or has lost its volume.
type catchUp struct {
	engine *embedded.Engine
	peers  peers
	log    *zap.Logger
	// busy says that another is being asked, or copied from: who does that does not
	// stand for election.
	busy atomic.Bool
}

// newCatchUp also says whether there is something to do.
func newCatchUp(e *embedded.Engine, p peers, now time.Time, log *zap.Logger) *catchUp {
	c := &catchUp{engine: e, peers: p, log: log}
	c.busy.Store(len(p.all) > 0 && now.Sub(e.Newest()) > awayFor)
	return c
}

func (c *catchUp) gauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "leeway_controller_catching_up", Help: "1 while this replica copies what it missed: it leads only if nobody else can.",
	}, func() float64 {
		if c.busy.Load() {
			return 1
		}
		return 0
	})
}

// run asks every other replica until it has answered once.
func (c *catchUp) run(ctx context.Context) error {
	if !c.busy.Load() {
		return nil
	}
	defer c.busy.Store(false)
	wait, left := time.Second, c.peers.all
	for since := c.engine.Newest().Add(-lateBy); ; wait = min(2*wait, time.Minute) {
		c.busy.Store(true)
		var failed []node.Controller
		for _, peer := range left {
			err := c.copy(ctx, peer, since)
			if err != nil && ctx.Err() == nil {
				c.log.Warn("cannot copy what this replica has missed; it is tried again", zap.String("from", peer.Name), zap.Error(err), zap.Duration("in", wait))
				failed = append(failed, peer)
			}
		}
		if left = failed; len(left) == 0 || ctx.Err() != nil {
			return nil
		}
		c.busy.Store(false) // they may be gone for good
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// copy copies from one of them. What came before it broke off is kept.
func (c *catchUp) copy(ctx context.Context, peer node.Controller, since time.Time) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(quietFor, func() { cancel(fmt.Errorf("nothing came for %s", quietFor)) })
	defer quiet.Stop()
	began := time.Now()
	for {
		body, err := c.peers.get(ctx, peer, snapshotPath, url.Values{"since": {strconv.FormatInt(since.UnixMilli(), 10)}})
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		got, err := c.engine.Restore(ctx, alive{body, quiet})
		_ = body.Close()
		switch {
		case err == nil:
			c.log.Info("copied what this replica has missed", zap.String("from", peer.Name), zap.Time("since", since), zap.Int("blocks", got.Blocks),
				zap.Int64("bytes", got.Bytes), zap.Duration("took", time.Since(began).Round(time.Millisecond)))
			return nil
		case got.Blocks == 0:
			return errors.Join(err, context.Cause(ctx))
		}
		c.log.Warn("a copy broke off; it goes on with the next block", zap.String("from", peer.Name), zap.Time("through", got.Through), zap.Error(err))
		since = got.Through.Add(-time.Millisecond) // another may end with it
	}
}

// alive is a body that puts the timer off with whatever comes.
type alive struct {
	io.Reader
	quiet *time.Timer
}

func (a alive) Read(b []byte) (int, error) {
	n, err := a.Reader.Read(b)
	if n > 0 {
		a.quiet.Reset(quietFor)
	}
	return n, err
}
