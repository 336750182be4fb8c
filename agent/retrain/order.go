package retrain

import (
	"context"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Order says what to train, or which versions to evaluate, and by what: CronJob or
// GitHub.
type Order struct {
	Namespace string
	CronJob   string
	GitHub    *v1alpha1.GitHubWorkflow
	// Decision that asks for it: its name makes this training one of a kind.
	Decision string
	Model    string
	Parent   string
	// Candidates are the versions that an evaluation measures beside the parent; none:
	// it is a training.
	Candidates []string
	// From and To bound the live rows that the decision rests on; To is when it
	// was made.
	From, To time.Time
	Timeout  time.Duration
	// Profile describes those rows in at most MaxProfileBytes, or returns nil. It is
	// asked only by what can pass it on.
	Profile func(ctx context.Context) []byte

	// Noted is when the journal last said that the training is about to be started,
	// zero if it never did or if surely nothing came of it. Notes counts how often it
	// did so and it is not known what came of it.
	Noted time.Time
	Notes int
	// Note writes that into the journal, with what the training will be called, and
	// returns when. Start calls it before anything that it could not find again if it
	// were killed in the middle; after an error it does nothing.
	Note func(ctx context.Context, name, message string) (time.Time, error)
}

// Inputs are what a training is told: the names as in its environment.
func (o Order) Inputs() [][2]string {
	in := [][2]string{
		{"LEEWAY_DECISION", o.Decision},
		{"LEEWAY_MODEL", o.Model},
		{"LEEWAY_PARENT_VERSION", o.Parent},
		{"LEEWAY_WINDOW_FROM", o.From.UTC().Format(time.RFC3339)},
		{"LEEWAY_WINDOW_TO", o.To.UTC().Format(time.RFC3339)},
	}
	if len(o.Candidates) > 0 {
		in = append(in, [2]string{"LEEWAY_CANDIDATES", strings.Join(o.Candidates, ",")})
	}
	return in
}

// Status is where a training stands.
type Status struct {
	State State
	// Name is what the training is called, where that has become known since it was
	// started; else empty.
	Name    string
	Message string
}

// State is where a training stands, in a word.
type State int

// The states of a training.
const (
	Running State = iota
	Complete
	Failed
	// Gone: deleted, or cleaned up after its end, as by a CronJob's history limits.
	Gone
)

func (s State) String() string {
	switch s {
	case Running:
		return "running"
	case Complete:
		return "complete"
	case Failed:
		return "failed"
	}
	return "gone"
}

// Trouble is the error of a training that can't be started or looked at, where
// that says nothing about the training itself.
type Trouble struct {
	// Refused says that a person has to change something. Else it is a matter of
	// time.
	Refused bool
	// NotStarted says that surely nothing was started. Else that is not known.
	NotStarted bool
	Err        error
}

// Error implements error.
func (t *Trouble) Error() string { return t.Err.Error() }

// Unwrap gives the cause.
func (t *Trouble) Unwrap() error { return t.Err }
