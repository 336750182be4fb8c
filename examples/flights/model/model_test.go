package model_test

import (
	"encoding/json"
	"testing"

	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/model"
)

// The story of the example rests on these errors: winter's model is bad in
// summer, and better than summer's and autumn's in December.
func TestSeasons(t *testing.T) {
	flights, err := data.Load()
	if err != nil {
		t.Fatal(err)
	}
	train := func(s data.Season) (*model.Model, []data.Flight) {
		rows, held := s.Split(flights, 1)
		m, err := model.Train(rows)
		if err != nil {
			t.Fatal(err)
		}
		return m, held
	}
	winter, winterHeld := train(data.Winter)
	summer, summerHeld := train(data.Summer)
	autumn, _ := train(data.Autumn)
	december, _ := data.December.Split(flights, 1)
	mae := map[string]float64{
		"winter/winter": winter.MeanAbsoluteError(winterHeld), "winter/summer": winter.MeanAbsoluteError(summerHeld),
		"summer/summer": summer.MeanAbsoluteError(summerHeld), "winter/december": winter.MeanAbsoluteError(december),
		"summer/december": summer.MeanAbsoluteError(december), "autumn/december": autumn.MeanAbsoluteError(december),
	}
	for name, e := range mae {
		t.Logf("%s: mean absolute error %.1f minutes", name, e)
	}
	for _, c := range []struct {
		less  string
		ratio float64
		more  string
	}{
		{"winter/winter", 0.5, "winter/summer"},
		{"summer/summer", 0.5, "winter/summer"},
		{"winter/december", 0.8, "summer/december"},
		{"winter/december", 0.9, "autumn/december"},
	} {
		if mae[c.less] > c.ratio*mae[c.more] {
			t.Errorf("error of %s is %.2f, want at most %.1f x %s = %.2f", c.less, mae[c.less], c.ratio, c.more, mae[c.more])
		}
	}
	b, err := json.Marshal(winter)
	if err != nil {
		t.Fatal(err)
	}
	again, err := model.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.Predict(december[0]), winter.Predict(december[0]); got != want {
		t.Errorf("a parsed artifact predicts %v, the model %v", got, want)
	}
}
