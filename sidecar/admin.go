package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
)

// admin serves metrics, health, the live profile and the reference. It needs no authentication: it has no secrets, and takes only the profile that the pod is stamped with.
func (s *Sidecar) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorLog: zap.NewStdLog(s.cfg.Log)}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /profile", s.live)
	mux.HandleFunc("PUT /reference", s.putReference)
	mux.HandleFunc("POST /drain", s.drain)
	return mux
}

// ready means that traffic is taken. Whether the model server answers is for its own probe to say: a pod is ready when both are.
func (s *Sidecar) ready(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		fail(w, http.StatusServiceUnavailable, errors.New("draining"))
		return
	}
	io.WriteString(w, "ok\n")
}

// drain makes the sidecar unready and answers when no request is under way.
func (s *Sidecar) drain(w http.ResponseWriter, r *http.Request) {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Grace)
	defer cancel()
	if err := s.relay.Drain(ctx); err != nil {
		fail(w, http.StatusGatewayTimeout, fmt.Errorf("requests are still under way after %v", s.cfg.Grace))
		return
	}
	answer(w, http.StatusOK, map[string]bool{"drained": true})
}

const maxWindow = 24 * time.Hour

// live answers with the profile of what was observed.
func (s *Sidecar) live(w http.ResponseWriter, r *http.Request) {
	from, to, err := window(r.URL.Query().Get, time.Now())
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	p, err := s.profile(from, to, r.URL.Query().Get("learned") == "true")
	if err != nil {
		fail(w, http.StatusNotFound, err)
		return
	}
	b, err := p.Encode()
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b)
}

// profile is what was observed; learned: without a reference, what was learned. Only who asks for that gets it, for it
// compares with nothing and does not merge with the profiles of pods that have a reference.
func (s *Sidecar) profile(from, to time.Time, learned bool) (*profile.Profile, error) {
	p := s.observer.Live(from, to)
	if p == nil && learned {
		if p = s.observer.Learned(from, to); p == nil {
			return nil, errors.New("no reference, and nothing learned: no request with names was read, or --learn is false")
		}
	}
	if p == nil {
		return nil, errors.New("no reference yet: nothing is compared; PUT /reference, or see ?learned=true")
	}
	return p, nil
}

// window reads ?window=30m or ?from=…&to=…; neither: the last 24 hours.
func window(query func(string) string, now time.Time) (from, to time.Time, err error) {
	text := query("window")
	begin, end := query("from"), query("to")
	switch {
	case text != "" && (begin != "" || end != ""):
		return from, to, errors.New("give either window or from and to")
	case begin == "" && end != "":
		return from, to, errors.New("to needs from")
	case begin == "":
		d := maxWindow
		if text != "" {
			if d, err = time.ParseDuration(text); err != nil || d <= 0 || d > maxWindow {
				return from, to, fmt.Errorf("window %.40q: want a duration up to %v, like 30m", text, maxWindow)
			}
		}
		return now.Add(-d), now, nil
	}
	if from, err = time.Parse(time.RFC3339Nano, begin); err != nil {
		return from, to, fmt.Errorf("from %.40q: want a time like 2006-01-02T15:04:05Z", begin)
	}
	to = now
	if end != "" {
		if to, err = time.Parse(time.RFC3339Nano, end); err != nil {
			return from, to, fmt.Errorf("to %.40q: want a time like 2006-01-02T15:04:05Z", end)
		}
	}
	if !from.Before(to) {
		return from, to, errors.New("from is not before to")
	}
	return from, to, nil
}

// errDigest: content whose digest is not the one that the pod is stamped with.
var errDigest = errors.New("wrong digest")

// setReference takes an encoded profile, once, if its digest is the expected one. It reports whether it was taken now; the same again is no error.
func (s *Sidecar) setReference(encoded []byte) (bool, error) {
	digest := profile.Digest(encoded)
	if want := s.cfg.ProfileDigest; want != "" && digest != want {
		return false, fmt.Errorf("%w: the content has %s, but this pod takes %s only", errDigest, digest, want)
	}
	if have, _ := s.observer.Reference(); have == digest {
		return false, nil
	} else if have != "" {
		return false, fmt.Errorf("%w: %s; a pod compares with one profile for life", observe.ErrOther, have)
	}
	p, err := profile.Parse(encoded)
	if err != nil {
		return false, err
	}
	taken, err := s.observer.SetReference(p, digest)
	if taken {
		s.cfg.Log.Info("reference taken", zap.String("digest", digest), zap.Bool("verified", s.cfg.ProfileDigest != ""), zap.Int("features", len(p.Features)), zap.Int("predictions", len(p.Predictions)))
	}
	return taken, err
}

// referenceAnswer says what PUT /reference came to.
type referenceAnswer struct {
	Reference string `json:"reference"`
	Result    string `json:"result"`   // taken, or already
	Verified  bool   `json:"verified"` // false: the pod has no digest stamp, so the first profile was taken
}

func (s *Sidecar) putReference(w http.ResponseWriter, r *http.Request) {
	encoded, err := io.ReadAll(http.MaxBytesReader(w, r.Body, profile.MaxBytes))
	if err != nil {
		s.metrics.RefusedReference(metrics.BadReference)
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			fail(w, http.StatusRequestEntityTooLarge, fmt.Errorf("a profile has at most %d bytes", profile.MaxBytes))
			return
		}
		fail(w, http.StatusBadRequest, err)
		return
	}
	taken, err := s.setReference(encoded)
	switch {
	case errors.Is(err, errDigest):
		s.metrics.RefusedReference(metrics.WrongDigest)
		fail(w, http.StatusUnprocessableEntity, err)
	case errors.Is(err, observe.ErrOther):
		s.metrics.RefusedReference(metrics.OtherReference)
		fail(w, http.StatusConflict, err)
	case err != nil:
		s.metrics.RefusedReference(metrics.BadReference)
		fail(w, http.StatusBadRequest, err)
	default:
		a := referenceAnswer{Reference: profile.Digest(encoded), Result: "already", Verified: s.cfg.ProfileDigest != ""}
		if taken {
			a.Result = "taken"
		}
		answer(w, http.StatusOK, a)
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": "leeway-sidecar: " + err.Error()})
}
