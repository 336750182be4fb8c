package guard

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// metrics are the leader's alone: a replica that does not lead exports no
// guard, so no two disagree.
type metrics struct {
	decisions   *prometheus.CounterVec
	ended       *prometheus.CounterVec
	phase, info *prometheus.GaugeVec
	refused     *prometheus.GaugeVec

	mu     sync.Mutex
	known  map[guardKey]projection
	reused map[guardKey]int
}

type guardKey struct{ namespace, model, guard string }

type projection struct{ phase, reason, workload string }

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leeway_decisions_total",
			Help: "Decisions made, by what was found, what is done about it and why.",
		}, []string{"namespace", "model_name", "guard", "cause", "action", "reason"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leeway_decisions_ended_total",
			Help: "Decisions that came to their end, by how and why.",
		}, []string{"namespace", "model_name", "guard", "action", "state", "reason"}),
		phase: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "leeway_guard_phase",
			Help: "1 for the phase that the guard is in, with its reason; 0 for the others.",
		}, []string{"namespace", "model_name", "guard", "phase", "reason"}),
		info: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "leeway_guard_info",
			Help: "Always 1: the workload that the guard watches.",
		}, []string{"namespace", "model_name", "guard", "workload"}),
		refused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "leeway_guard_refused_versions",
			Help: "Registered versions that count as not registered, by why.",
		}, []string{"namespace", "model_name", "guard", "reason"}),
		known: map[guardKey]projection{}, reused: map[guardKey]int{},
	}
	for _, c := range []prometheus.Collector{m.decisions, m.ended, m.phase, m.info, m.refused} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func keyOf(g *v1alpha1.ModelGuard) guardKey { return guardKey{g.Namespace, g.Spec.Model, g.Name} }

func (m *metrics) decided(g *v1alpha1.ModelGuard, d *v1alpha1.ModelDecision) {
	m.decisions.WithLabelValues(g.Namespace, g.Spec.Model, g.Name, d.Spec.Cause, d.Spec.Action, d.Spec.Reason).Inc()
}

func (m *metrics) end(g *v1alpha1.ModelGuard, d *v1alpha1.ModelDecision) {
	m.ended.WithLabelValues(g.Namespace, g.Spec.Model, g.Name, d.Spec.Action, string(d.Status.State), d.Status.Reason).Inc()
}

func (m *metrics) project(g *v1alpha1.ModelGuard) {
	k := keyOf(g)
	p := projection{string(g.Status.Phase), g.Status.Reason, g.Spec.Workload.Name}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[k] == p {
		return
	}
	m.drop(k)
	m.known[k] = p
	m.info.WithLabelValues(k.namespace, k.model, k.guard, p.workload).Set(1)
	for _, phase := range []v1alpha1.Phase{v1alpha1.Watching, v1alpha1.Deciding, v1alpha1.Acting, v1alpha1.Verifying, v1alpha1.Held} {
		if string(phase) == p.phase {
			m.phase.WithLabelValues(k.namespace, k.model, k.guard, p.phase, p.reason).Set(1)
		} else {
			m.phase.WithLabelValues(k.namespace, k.model, k.guard, string(phase), "").Set(0)
		}
	}
}

// refuse notes how many versions of a guard are refused because their numbers were
// others', and says whether there are more than before.
func (m *metrics) refuse(k guardKey, reused int) (more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	more, m.reused[k] = reused > m.reused[k], reused
	m.refused.WithLabelValues(k.namespace, k.model, k.guard, numberReused).Set(float64(reused))
	return more
}

// forget drops the guards that are no more.
func (m *metrics) forget(guards []v1alpha1.ModelGuard) {
	there := make(map[guardKey]bool, len(guards))
	for i := range guards {
		there[keyOf(&guards[i])] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.known {
		if !there[k] {
			m.drop(k)
			delete(m.known, k)
		}
	}
	for k := range m.reused {
		if !there[k] {
			delete(m.reused, k)
			m.refused.DeleteLabelValues(k.namespace, k.model, k.guard, numberReused)
		}
	}
}

// drop removes the gauges of a guard. The lock is held.
func (m *metrics) drop(k guardKey) {
	l := prometheus.Labels{"namespace": k.namespace, "model_name": k.model, "guard": k.guard}
	m.phase.DeletePartialMatch(l)
	m.info.DeletePartialMatch(l)
}

func (m *metrics) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phase.Reset()
	m.info.Reset()
	m.refused.Reset()
	m.reused = map[guardKey]int{}
	m.known = map[guardKey]projection{}
}
