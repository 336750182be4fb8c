package e2e_test

import (
	"encoding/json"
	"testing"

	"github.com/leeway-dev/leeway/e2e/testbed"
)

const (
	system  = testbed.System
	example = testbed.Example
)

// perSecond is how many requests each model gets: enough for the errors rules,
// and too few for anything to be said about drift.
const perSecond = 50

// stage is a testbed, and what plays on it.
type stage struct {
	*testbed.Testbed
	leeway  string            // address of the controllers' API
	uris    map[string]string // of artifacts, by version: 1 is good, 2 is bad
	traffic map[string]*testbed.Traffic
}

// newStage starts a cluster that goes with the test, and installs Leeway with the
// rules of the demo.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{
		Testbed: testbed.New(t, testbed.Config{
			Root: "..", Cluster: options("", ""), Rules: "../examples/flights/rules-values.yaml", Rows: 2000,
		}),
		traffic: map[string]*testbed.Traffic{}, uris: map[string]string{},
	}
	s.leeway = "http://" + s.ServiceIP(t, system, "leeway") + ":9096"
	for version, artifact := range map[string][]byte{"1": s.Good, "2": s.Bad} {
		path := "flights/models/winter-" + version + ".json"
		if err := s.S3.Put(path, artifact); err != nil {
			t.Fatal(err)
		}
		s.uris[version] = "s3://" + path
	}
	return s
}

// register puts both versions into the registry of a namespace.
func (s *stage) register(t *testing.T, namespace string) {
	t.Helper()
	for _, version := range []string{"1", "2"} {
		number := s.CLI(t, "register", "--store", "kube:"+namespace, "--model", "flights", "--artifact", s.uris[version],
			"--profile", s.Profile, "--metric", "mae=7.1")
		if number != version {
			t.Fatalf("registered as version %s, want %s", number, version)
		}
	}
}

// read gets an object, or a list of them, as JSON.
func (s *stage) read(t *testing.T, into any, args ...string) error {
	t.Helper()
	out, err := s.Kubectl(t.Context(), append([]string{"get", "-o", "json"}, args...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}
