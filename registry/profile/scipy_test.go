package profile_test

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/leeway-dev/leeway/registry/profile"
)

var update = flag.Bool("update", false, "write testdata/references.json for testdata/distances.py")

// Live counts on the version's own bins are those that pandas finds, and the
// distances those of scipy, Evidently and NannyML, to 1e-9.
func TestScipyDistances(t *testing.T) {
	all := flights(t)
	references := make(map[string]*profile.Profile)
	bins := make(map[string][]profile.Column)
	for _, v := range []string{"v1-winter", "v3-summer"} {
		p := train(t, where(all, func(f flight) bool { return slices.Contains(versions[v], f.month) && !held(f) }))
		references[v] = p
		for _, c := range p.Features {
			bins[v] = append(bins[v], profile.Column{Name: c.Name, Type: c.Type, Rows: c.Rows, Missing: c.Missing, Bins: c.Bins})
		}
	}
	if *update {
		data, err := json.Marshal(bins)
		if err == nil {
			err = os.WriteFile("testdata/references.json", append(data, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Skip("now run testdata/distances.py")
	}
	var want map[string]map[string]map[string]struct {
		Counts   []int64
		Distance float64
	}
	readJSON(t, "testdata/scipy-distances.json", &want)
	if len(want) != len(references) {
		t.Fatalf("%d versions in scipy-distances.json, want %d", len(want), len(references))
	}
	peers := []struct {
		name   string
		factor float64 // of the distance
		peerDistances
	}{{name: "evidently", factor: math.Sqrt(math.Ln2)}, {name: "nannyml", factor: 1}}
	for i := range peers {
		readJSON(t, "testdata/"+peers[i].name+"-distances.json", &peers[i].peerDistances)
	}
	for v, months := range want {
		for key, columns := range months {
			month, _ := strconv.Atoi(key)
			live := record(t, references[v].Features, where(all, func(f flight) bool { return f.month == month }))
			d, err := profile.Compare(references[v], live)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(d.Mean-columns["mean"].Distance) > 1e-9 {
				t.Errorf("%s %s: mean %v, scipy has %v", v, key, d.Mean, columns["mean"].Distance)
			}
			for i, c := range d.Columns {
				if math.Abs(c.Distance-columns[c.Name].Distance) > 1e-9 {
					t.Errorf("%s %s %s: %v, scipy has %v", v, key, c.Name, c.Distance, columns[c.Name].Distance)
				}
				for _, p := range peers {
					if d, ok := p.Distances[v][key][c.Name]; !ok || math.Abs(c.Distance*p.factor-d) > 1e-9 {
						t.Errorf("%s %s %s: %v, %s has %v", v, key, c.Name, c.Distance*p.factor, p.name, d)
					}
				}
				var counts []int64
				for _, b := range live.Features[i].Bins {
					counts = append(counts, b.Count)
				}
				if !slices.Equal(counts, columns[c.Name].Counts) {
					t.Errorf("%s %s %s: counts %v, pandas has %v", v, key, c.Name, counts, columns[c.Name].Counts)
				}
			}
		}
	}
}

// peerDistances are what rules/testdata/peers.py writes of a package: distances
// by version, month and column. Evidently's logarithms are to base e.
type peerDistances struct {
	Versions  map[string]string
	Distances map[string]map[string]map[string]float64
}
