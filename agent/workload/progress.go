package workload

import "fmt"

// Progress is how far the rollout of the current template is.
type Progress struct {
	// Complete: every replica runs the current template and is available, and
	// none of another template is left.
	Complete bool
	// Stuck: the controller itself has given up waiting.
	Stuck bool
	// Message says it with numbers.
	Message string
}

// Progress reads the counts, not the conditions: Progressing stays true from
// the rollout before, and observedGeneration can run ahead of conditions. The
// counts say nothing until the controller has seen generation, which is the one
// that the last patch returned, or 0 for that of the object itself.
func (w *Workload) Progress(generation int64) Progress {
	c := w.Counts
	generation = max(generation, c.Generation)
	if c.ObservedGeneration < generation {
		return Progress{Message: fmt.Sprintf("generation %d is not observed yet (%d is)", generation, c.ObservedGeneration)}
	}
	p := Progress{Message: fmt.Sprintf("%d of %d replicas updated, %d available, %d in total",
		c.Updated, c.Desired, c.Available, c.Total)}
	p.Complete = c.Updated >= c.Desired && c.Total <= c.Updated && c.Available >= c.Desired
	if w.Kind == "StatefulSet" && c.CurrentRevision != c.UpdateRevision {
		p.Complete = false
		p.Message += "; the old revision is not gone"
	}
	p.Stuck = !p.Complete && c.ProgressDeadlineExceeded
	if p.Stuck {
		p.Message += "; the progress deadline is exceeded"
	}
	return p
}
