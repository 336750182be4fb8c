package dvc_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/dvc"
)

// sorted puts the rows of DVC's table, whose files come in an order by chance,
// in the order of files.
func sorted(table string) string {
	lines := strings.SplitAfter(table, "\n")
	rows := lines[2 : len(lines)-2]
	slices.SortStableFunc(rows, func(a, b string) int { return strings.Compare(strings.Fields(a)[1], strings.Fields(b)[1]) })
	return strings.Join(lines, "")
}

// recorded are the metrics that "dvc metrics diff --all --json" told of.
func recorded(t *testing.T) (old, new map[string]string) {
	t.Helper()
	var files map[string]map[string]struct{ Old, New json.RawMessage }
	if err := json.Unmarshal([]byte(readFile(t, "dvc/metrics-diff-all.json")), &files); err != nil {
		t.Fatal(err)
	}
	old, new = map[string]string{}, map[string]string{}
	for file, keys := range files {
		for key, v := range keys {
			old[file+":"+key] = dvc.Text(dvc.Parse(string(v.Old)))
			new[file+":"+key] = dvc.Text(dvc.Parse(string(v.New)))
		}
	}
	return old, new
}

func TestMetricsTable(t *testing.T) {
	old, new := recorded(t)
	head := dvc.TableOptions{Old: "HEAD", New: "workspace"}
	tests := []struct {
		file string
		new  map[string]string
		all  bool
		o    dvc.TableOptions
	}{
		{"metrics-diff-v1-v2.md", new, false, dvc.TableOptions{Old: "v1", New: "v2"}},
		{"metrics-diff-all.md", new, true, head},
		{"metrics-diff-nopath.md", new, false, dvc.TableOptions{Old: "HEAD", New: "workspace", NoPath: true}},
		{"metrics-diff-precision3.md", new, false, dvc.TableOptions{Old: "HEAD", New: "workspace", Precision: 3}},
		{"metrics-diff-same.md", old, false, dvc.TableOptions{Old: "v2", New: "v2"}},
	}
	for _, tt := range tests {
		want := readFile(t, "dvc/"+tt.file)
		got := dvc.MetricsTable(dvc.Diff(old, tt.new, tt.all), tt.o)
		if !tt.o.NoPath {
			want = sorted(want)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s:\n%s", tt.file, d)
		}
	}
}

// What python-tabulate and DVC 3.67 print for these.
func TestTables(t *testing.T) {
	old := map[string]string{"m.json:gone": "1", "m.json:word": "x", "m.json:flag": "true", "m.json:same": "1", "m.json:tiny": "1e-07", "n.json:": "0.5", "o.json:a": "1"}
	new := map[string]string{"m.json:come": "1e+22", "m.json:word": "日本 y", "m.json:flag": "false", "m.json:same": "1.0", "m.json:tiny": "2e-07", "n.json:": "0.75", "o.json:": "3"}
	want := strings.TrimLeft(`
| Path   | Metric   | 1    | 2               | Change   |
|--------|----------|------|-----------------|----------|
| m.json | come     | -    | 1e+22           | -        |
| m.json | flag     | True | False           | -1       |
| m.json | gone     | 1    | -               | -        |
| m.json | tiny     | 0.0  | 0.0             | 0.0      |
| m.json | word     | x    | 日本 y          | -        |
| n.json |          | 0.5  | 0.75            | 0.25     |
| o.json | a        | 1    | unable to parse | -        |

`, "\n")
	if d := cmp.Diff(want, dvc.MetricsTable(dvc.Diff(old, new, false), dvc.TableOptions{Old: "1", New: "2"})); d != "" {
		t.Error(d)
	}

	old = map[string]string{"p.yaml:list": `[1,2.0,"c"]`, "p.yaml:n": "12", "p.yaml:lr": "0.1000000001", "p.yaml:none": "null", "lr": "1"}
	new = map[string]string{"p.yaml:list": `[1,2,"c"]`, "p.yaml:n": `"12"`, "p.yaml:lr": "0.2", "p.yaml:none": "null", "lr": "2"}
	want = strings.TrimLeft(`
| Path   | Param   | 1             | 2           |
|--------|---------|---------------|-------------|
|        | lr      | 1             | 2           |
| p.yaml | list    | [1, 2.0, 'c'] | [1, 2, 'c'] |
| p.yaml | lr      | 0.1000000001  | 0.2         |
| p.yaml | n       | 12            | 12          |

`, "\n")
	if d := cmp.Diff(want, dvc.ParamsTable(dvc.Diff(old, new, false), dvc.TableOptions{Old: "1", New: "2"})); d != "" {
		t.Error(d)
	}
}
