package incidents_test

import (
	"fmt"
	"testing"

	"github.com/leeway-dev/leeway/agent/incidents"
)

func TestScenes(t *testing.T) {
	files, err := incidents.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range incidents.Kinds() {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s/%d", kind, seed), func(t *testing.T) {
				s, err := incidents.New(kind, seed)
				if err != nil {
					t.Fatal(err)
				}
				o, err := s.Run(t.Context(), files, t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				t.Log(s.Variant, s.Second, o.Took)
				for _, l := range o.Looks {
					t.Log(l.Second, l.Model, l.Cause, l.Action, l.Reason, l.Target, l.Message)
				}
			})
		}
	}
}
