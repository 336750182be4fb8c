package embedded

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// maxSeries bounds the answer of /series and the like when no limit is given.
const maxSeries = 100_000

// selection is what series, labels and label values have in common.
type selection struct {
	querier  storage.Querier
	matchers [][]*labels.Matcher // one set per match[]; may be empty
	hints    *storage.SelectHints
	limit    int
}

func (a *api) selection(r *http.Request) (*selection, error) {
	start, err := parseTime(r.FormValue("start"), time.UnixMilli(math.MinInt64/2))
	if err != nil {
		return nil, err
	}
	end, err := parseTime(r.FormValue("end"), time.UnixMilli(math.MaxInt64/2))
	if err != nil {
		return nil, err
	}
	s := &selection{limit: maxSeries}
	if l := r.FormValue("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 0 {
			return nil, badData("limit %q is not a whole number", l)
		}
		s.limit = min(cmp.Or(n, maxSeries), maxSeries)
	}
	for _, m := range r.Form["match[]"] {
		set, err := a.engine.parser.ParseMetricSelector(m)
		if err != nil {
			return nil, badData("match[]: %w", err)
		}
		s.matchers = append(s.matchers, set)
	}
	s.hints = &storage.SelectHints{Start: start.UnixMilli(), End: end.UnixMilli(), Func: "series", Limit: s.limit}
	if s.querier, err = a.engine.db.Querier(start.UnixMilli(), end.UnixMilli()); err != nil {
		return nil, err
	}
	return s, nil
}

func (a *api) series(r *http.Request) (any, error) {
	s, err := a.selection(r)
	if err != nil {
		return nil, err
	}
	defer s.querier.Close()
	if len(s.matchers) == 0 {
		return nil, badData("series needs at least one match[]")
	}
	sets := make([]storage.SeriesSet, 0, len(s.matchers))
	for _, m := range s.matchers {
		sets = append(sets, s.querier.Select(r.Context(), true, s.hints, m...))
	}
	merged := storage.NewMergeSeriesSet(sets, s.limit, storage.ChainedSeriesMerge)
	found := []labels.Labels{}
	for merged.Next() && len(found) < s.limit {
		found = append(found, merged.At().Labels())
	}
	return found, merged.Err()
}

func (a *api) labels(r *http.Request) (any, error) {
	return a.collect(r, func(s *selection, m []*labels.Matcher) ([]string, error) {
		names, _, err := s.querier.LabelNames(r.Context(), &storage.LabelHints{Limit: s.limit}, m...)
		return names, err
	})
}

func (a *api) labelValues(r *http.Request) (any, error) {
	name := r.PathValue("name")
	if !model.UTF8Validation.IsValidLabelName(name) {
		return nil, badData("%q is not a label name", name)
	}
	return a.collect(r, func(s *selection, m []*labels.Matcher) ([]string, error) {
		values, _, err := s.querier.LabelValues(r.Context(), name, &storage.LabelHints{Limit: s.limit}, m...)
		return values, err
	})
}

// collect merges the names or values of all match[].
func (a *api) collect(r *http.Request, get func(*selection, []*labels.Matcher) ([]string, error)) (any, error) {
	s, err := a.selection(r)
	if err != nil {
		return nil, err
	}
	defer s.querier.Close()
	sets := s.matchers
	if len(sets) == 0 {
		sets = [][]*labels.Matcher{nil}
	}
	all := []string{}
	for _, m := range sets {
		found, err := get(s, m)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), s.limit)], nil
}

func (a *api) metadata(r *http.Request) (any, error) {
	type entry struct {
		Type model.MetricType `json:"type"`
		Help string           `json:"help"`
		Unit string           `json:"unit"`
	}
	cache := a.engine.receiver.metadata
	cache.mu.RLock()
	defer cache.mu.RUnlock()
	answer := map[string][]entry{}
	only := r.FormValue("metric")
	for family, m := range cache.families {
		if only == "" || only == family {
			answer[family] = []entry{{m.Type, m.Help, m.Unit}}
		}
	}
	return answer, nil
}
