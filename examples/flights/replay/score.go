package replay

import (
	"maps"
	"slices"
	"time"
)

// Score sums up the requests that were sent in a span of time.
type Score struct {
	Requests int
	Faulty   int
	Lost     int
	Labels   int
	MAE      float64 // minutes
	Versions map[string]int
	// LostDetails are the first few things that went wrong.
	LostDetails []string
}

// Score of the requests sent from from on and before to, answered by version
// ("" for any).
func (r *Replay) Score(from, to time.Time, version string) Score {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Score{Versions: map[string]int{}}
	sum := 0.0
	for _, x := range r.results {
		if x.At.Before(from) || !x.At.Before(to) || version != "" && x.Kind == Answered && x.Version != version {
			continue
		}
		s.Requests++
		switch x.Kind {
		case Faulty:
			s.Faulty++
		case Lost:
			s.Lost++
			if len(s.LostDetails) < 5 {
				s.LostDetails = append(s.LostDetails, x.At.Format(time.StampMilli)+" "+x.Detail)
			}
		case Answered:
			s.Versions[x.Version]++
			s.Labels++
			sum += x.Error
		}
	}
	if s.Labels > 0 {
		s.MAE = sum / float64(s.Labels)
	}
	return s
}

// FirstFault is when the first faulty answer at or after from was asked for,
// or zero.
func (r *Replay) FirstFault(from time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first time.Time
	for _, x := range r.results {
		if x.Kind == Faulty && !x.At.Before(from) && (first.IsZero() || x.At.Before(first)) {
			first = x.At
		}
	}
	return first
}

// Answerers names the versions that answered since from.
func (r *Replay) Answerers(from time.Time) []string {
	return slices.Sorted(maps.Keys(r.Score(from, time.Now(), "").Versions))
}
