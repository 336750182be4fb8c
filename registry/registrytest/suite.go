package registrytest

import (
	"testing"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Factory opens an empty registry. Each call of the function that it returns
// opens the same one again, as another process would; the suite calls it from
// several goroutines.
type Factory func(t *testing.T) (open func() registry.Store)

// Options say what a store can't do through the interface.
type Options struct {
	// Delete removes a version as its owner would, with tools that are not
	// Leeway's; nil where a version must not be removed so.
	Delete func(t *testing.T, model string, number int64)
	// Registrars is how many register at once, Each how often; 20 and 5 when 0.
	Registrars, Each int
}

// Run tests a store against everything that registry.Store promises. For each
// test it asks for an empty registry; o is asked for after the factory was
// called and is about that registry.
func Run(t *testing.T, f Factory, o func() Options) {
	tests := []struct {
		name string
		test func(t *testing.T, open func() registry.Store, o Options)
	}{
		{"what is registered comes back", roundTrip},
		{"an unknown version is not found", unknown},
		{"versions are listed by number, per model", listed},
		{"a wrong spec is refused", refused},
		{"numbers are given once whatever the race", numbersOnce},
		{"numbers of deleted versions are not given again", numbersGone},
		{"numbers of versions deleted by hand are not given again", numbersGoneByHand},
		{"a deleted version is gone, and who deleted it is known", deleted},
		{"a version is made live or deleted, not both", deleteRace},
		{"models are listed", models},
		{"registering for a decision again returns the version", decisionAgain},
		{"registering for a decision many times at once registers once", decisionRace},
		{"a version that was deleted is registered anew for its decision", decisionDeleted},
		{"a version that was deleted by hand is registered anew for its decision", decisionDeletedByHand},
		{"readers never see half a version", noHalves},
		{"lifecycles change by compare-and-swap with an audit line", lifecycle},
		{"of many that change a lifecycle one wins", lifecycleRace},
		{"a watcher sees every change, and nothing else", watched},
		{"what is returned is the caller's", callersOwn},
		{"versions of another store are taken over as they are", imported},
		{"versions that are not those of another store are refused", importRefused},
		{"numbers of another store's deleted versions are not given", importDeletion},
		{"a cancelled registration registers nothing", cancelled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			open := f(t)
			opts := o()
			if opts.Registrars == 0 {
				opts.Registrars, opts.Each = 20, 5
			}
			tt.test(t, open, opts)
		})
	}
}

// Spec returns a small spec that every store takes.
func Spec(model string) v1alpha1.ModelVersionSpec {
	return v1alpha1.ModelVersionSpec{
		Model:    model,
		Artifact: v1alpha1.Artifact{URI: "s3://models/" + model, SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
	}
}
