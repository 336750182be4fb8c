package retrain

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/model"
)

// The file of predictions has a column for each version and a row for each
// flight, and says what the models say.
func TestPredictions(t *testing.T) {
	a := &model.Model{Intercept: 10, PerMile: 0.1}
	b := &model.Model{Intercept: 20, PerMile: 0.1}
	var f data.Flight
	f.Numbers[1], f.AirTime = 500, 75.5 // distance
	to := filepath.Join(t.TempDir(), "predictions.csv")
	if err := writePredictions(to, []string{"self", "3"}, []*model.Model{a, b}, []data.Flight{f, f}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	if want := "actual,self,3\n" + strings.Repeat("75.5,60.000,70.000\n", 2); string(got) != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}
