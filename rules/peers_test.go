package rules_test

import (
	"encoding/json"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
)

// peer is what testdata/peers.py writes of a package: its statistics of the
// columns of golden.json.
type peer struct {
	Versions map[string]string
	Columns  map[string]map[string]float64
	// Equal is a column of as many live as training rows, and the sum of two
	// one-sample G, each against both samples together.
	Equal struct {
		Live, Reference []float64
		G               float64
	}
}

func readPeer(t *testing.T, name string) (p peer) {
	t.Helper()
	data, err := os.ReadFile("testdata/peers-" + name + ".json")
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Columns) != 10 {
		t.Fatalf("%d columns by %s, want 10", len(p.Columns), name)
	}
	return p
}

// The distances that the shipped PromQL computes, and those that docs/queries.md
// has for who knows other tools, are Evidently's and NannyML's on the same rows.
func TestStatisticsAgreeWithPeers(t *testing.T) {
	evidently, nannyml := readPeer(t, "evidently"), readPeer(t, "nannyml")
	want := readGolden(t)
	equal := goldenColumn{Name: "equal", Live: evidently.Equal.Live, Clustering: 1}
	for _, n := range evidently.Equal.Reference {
		equal.Rows += n
	}
	for _, n := range evidently.Equal.Reference {
		equal.Ratio = append(equal.Ratio, n/equal.Rows)
	}
	want.Columns = append(want.Columns, equal)
	v := rules.Defaults()
	v.Clocks.Page.Windows = []rules.Duration{rules.Duration(time.Hour)}
	v.Clocks.Act.Enabled, v.Clocks.Slow.Enabled = false, false
	r := newRig(t, v)
	start := time.Unix(1_700_000_000, 0)
	end := start.Add(time.Hour)
	for at := start; !at.After(end); at = at.Add(15 * time.Second) {
		r.append(at, goldenSamples(want, "feature", "feature", at.Sub(start))...)
	}
	r.eval(end, "leeway-feature-reference", "leeway-feature-drift-1h")

	queries := queriesUnder(t, "Statistics of other tools")
	if len(queries) != 5 {
		t.Fatalf("%d queries, want 5", len(queries))
	}
	js, hellinger, psi := r.query(end, anyModel(queries[0]), "feature"), r.query(end, queries[1], "feature"), r.query(end, queries[2], "feature")
	infinity, chi2 := r.query(end, queries[3], "feature"), r.query(end, queries[4], "feature")
	for _, c := range want.Columns {
		e, n := evidently.Columns[c.Name], nannyml.Columns[c.Name]
		if e == nil || n == nil {
			if c.Name != "no_rows" && c.Name != "equal" {
				t.Errorf("peers say nothing of %s", c.Name)
			}
			continue
		}
		agreeWith(t, "NannyML", "Jensen-Shannon distance of "+c.Name, js[c.Name], n["jensen_shannon"])
		agreeWith(t, "Evidently", "Jensen-Shannon distance of "+c.Name, js[c.Name]*math.Sqrt(math.Ln2), e["jensenshannon"])
		agreeWith(t, "NannyML", "Hellinger distance of "+c.Name, hellinger[c.Name], n["hellinger"])
		agreeWith(t, "Evidently", "Hellinger distance of "+c.Name, hellinger[c.Name], e["hellinger"])
		agreeWith(t, "Evidently", "PSI of "+c.Name, psi[c.Name], e["psi"])
		agreeWith(t, "NannyML", "L-infinity of "+c.Name, infinity[c.Name], n["l_infinity"])
		agreeWith(t, "NannyML", "χ² of "+c.Name, chi2[c.Name]*yates(c), n["chi2"])
	}
	df, ratio := r.query(end, "leeway:feature_drift:df1h", "feature"), r.query(end, "leeway:feature_drift:noise_ratio1h", "feature")
	agreeWith(t, "Evidently", "G", df["equal"]*ratio["equal"], evidently.Equal.G)
	// Of equally many rows G is the distance, but for a factor.
	agreeWith(t, "the distance", "G", df["equal"]*ratio["equal"], 4*equal.Rows*math.Ln2*js["equal"]*js["equal"])
}

// yates is Yates' correction of χ², which scipy, and so NannyML, makes where
// there is one degree of freedom.
func yates(c goldenColumn) float64 {
	n := 0.0
	for _, x := range c.Live {
		n += x
	}
	if len(c.Live) != 2 {
		return 1
	}
	distance := math.Abs(c.Live[0]/n - c.Ratio[0])
	return math.Pow(1-(1/n+1/c.Rows)/2/distance, 2)
}

// queriesUnder are those of a section of docs/queries.md.
func queriesUnder(t *testing.T, heading string) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/queries.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var out []string
	for _, q := range regexp.MustCompile("(?s)```promql\n(.*?)```").FindAllStringSubmatch(section, -1) {
		out = append(out, q[1])
	}
	return out
}

func anyModel(query string) string {
	return regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(query, "")
}
