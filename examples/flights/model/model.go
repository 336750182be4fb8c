// Package model predicts the time that a flight spends in the air: the mean of
// its route, corrected by boosted regression trees over schedule and weather.
package model

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/leeway-dev/leeway/examples/flights/data"
)

// Model is a trained model. Its JSON form is the artifact.
type Model struct {
	// Routes holds the mean air time of "origin dest" in minutes.
	Routes map[string]float64 `json:"routes"`
	// Intercept and PerMile estimate the air time of a route never seen.
	Intercept float64 `json:"intercept"`
	PerMile   float64 `json:"perMile"`
	Trees     []Tree  `json:"trees"`
	// FailRatio of the requests is answered with an error: the bad release of
	// the example. A trained model has 0.
	FailRatio float64 `json:"failRatio,omitempty"`
}

// Tree is a regression tree in an array: the children of node i are 2i+1 and
// 2i+2.
type Tree []Node

// Node splits on one number, or is a leaf.
type Node struct {
	Feature int     `json:"f"` // -1: a leaf
	Below   float64 `json:"b"` // left if x < Below; a missing number goes left
	Value   float64 `json:"v"`
}

// Parse reads an artifact.
func Parse(b []byte) (*Model, error) {
	var m Model
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	for _, t := range m.Trees {
		for i, n := range t {
			if n.Feature >= len(data.Numbers) || n.Feature >= 0 && 2*i+2 >= len(t) {
				return nil, fmt.Errorf("model: tree node %d is not valid", i)
			}
		}
	}
	return &m, nil
}

// Predict returns the air time in minutes.
func (m *Model) Predict(f data.Flight) float64 {
	y := m.base(f)
	for _, t := range m.Trees {
		y += t.value(f.Numbers[:])
	}
	return y
}

func (m *Model) base(f data.Flight) float64 {
	if mean, ok := m.Routes[route(f)]; ok {
		return mean
	}
	return m.Intercept + m.PerMile*f.Numbers[slices.Index(data.Numbers, "distance")]
}

func route(f data.Flight) string { return f.Categories[0] + " " + f.Categories[1] }

func (t Tree) value(x []float64) float64 {
	i := 0
	for t[i].Feature >= 0 {
		if x[t[i].Feature] >= t[i].Below {
			i = 2*i + 2
		} else {
			i = 2*i + 1
		}
	}
	return t[i].Value
}

// MeanAbsoluteError of the model on flights, in minutes.
func (m *Model) MeanAbsoluteError(flights []data.Flight) float64 {
	sum := 0.0
	for _, f := range flights {
		sum += math.Abs(m.Predict(f) - f.AirTime)
	}
	return sum / float64(len(flights))
}
