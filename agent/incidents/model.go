package incidents

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// namespace of all models.
const namespace = "ml"

// model is one model and how it is used.
type model struct {
	name       string
	columns    []column
	classifier bool
	noise      float64 // of the prediction
	// Requests a second; a session sends so many rows that are alike.
	rate    float64
	session int
	swing   float64 // of the rate, as a share of it
	// Of answers: the time they take, and the share that fails.
	median, spread, fails float64
	// Occupied is how much of what the server can do is asked of it.
	occupied float64
	// Labels come for this share of the rows, so much later.
	labelled float64
	lag      time.Duration
	// err is the mean absolute error, or the share of wrong answers, at home.
	err      float64
	versions []registry.Version
	profiles []*profile.Profile
	regimes  []regime // that the versions were trained on
}

func newModel(r *rand.Rand, name string, small bool) *model {
	m := &model{
		name: name, classifier: r.IntN(2) == 0, noise: 0.2 + r.Float64(),
		rate: 60 * math.Exp(r.Float64()*math.Log(4)), session: 1 + r.IntN(4), swing: 0.2 * r.Float64(),
		median: 0.005 * math.Exp(r.Float64()*math.Log(20)), spread: 0.2 + 0.3*r.Float64(), occupied: 0.1 + 0.2*r.Float64(),
		labelled: 0.3 + 0.7*r.Float64(), lag: time.Duration(1+r.IntN(10)) * time.Second,
		err: 0.05 + 0.15*r.Float64(),
	}
	if r.IntN(2) == 0 {
		m.fails = 0.005 * r.Float64()
	}
	n := 2 + r.IntN(4)
	if small {
		n = 2 + r.IntN(2)
		m.rate = 60 + 40*r.Float64()
	}
	for i := range n {
		m.columns = append(m.columns, newColumn(r, i))
	}
	return m
}

// output is the name of the prediction.
const output = "y"

// row is one request: its inputs and the model's answer.
type row struct {
	cells  []cell
	answer float64
}

// mangle breaks the inputs of a row before the model sees them; what a broken
// one adds to the answer is its own.
type mangle func(r *rand.Rand, cells []cell, adds []float64)

// draw draws a row of a regime; bias is what a version adds to its answers.
func (m *model) draw(r *rand.Rand, g regime, bias float64, broken mangle) row {
	out := row{cells: make([]cell, len(m.columns)), answer: bias}
	adds := make([]float64, len(m.columns))
	for i := range m.columns {
		out.cells[i], adds[i] = m.columns[i].draw(r, g, i)
	}
	if broken != nil {
		broken(r, out.cells, adds)
	}
	for _, add := range adds {
		out.answer += add
	}
	out.answer += m.noise * r.NormFloat64()
	if m.classifier {
		out.answer = 1 / (1 + math.Exp(-out.answer))
	}
	return out
}

// trainingRows of a version.
const trainingRows = 6000

// train registers a version that was trained on a regime.
func (m *model) train(r *rand.Rand, g regime) error {
	var b strings.Builder
	w := csv.NewWriter(&b)
	line := make([]string, 0, len(m.columns)+1)
	for _, c := range m.columns {
		line = append(line, c.name)
	}
	_ = w.Write(append(line, output)) // into memory
	for range trainingRows {
		x := m.draw(r, g, 0, nil)
		line = line[:0]
		for _, c := range x.cells {
			line = append(line, c.text())
		}
		_ = w.Write(append(line, strconv.FormatFloat(x.answer, 'g', -1, 64)))
	}
	w.Flush()
	p, _, err := dataset.FromCSV(m.name, strings.NewReader(b.String()), dataset.Options{Predictions: []string{output}})
	if err != nil {
		return fmt.Errorf("profile of %s: %w", m.name, err)
	}
	encoded, err := p.Encode()
	if err != nil {
		return err
	}
	packed, err := registry.Pack(encoded)
	if err != nil {
		return err
	}
	number := int64(len(m.versions) + 1)
	metric := "mae"
	if m.classifier {
		metric = "error_rate"
	}
	m.versions = append(m.versions, registry.Version{Model: m.name, Number: number, Spec: registryv1.ModelVersionSpec{
		Model: m.name, Version: number, Profile: packed,
		Artifact: registryv1.Artifact{URI: fmt.Sprintf("s3://models/%s/%d", m.name, number)},
		Metrics:  map[string]string{metric: strconv.FormatFloat(m.err, 'g', 6, 64), "holdout_rows": strconv.Itoa(trainingRows)},
	}})
	m.profiles, m.regimes = append(m.profiles, p), append(m.regimes, g)
	return nil
}
