package dvc_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/dvc"
)

func readFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The file was written by Python: the JSON of values, their str(), and for
// floats that of round(value, 5).
func TestPythonValues(t *testing.T) {
	var rows []struct{ Text, Str, Round5 string }
	if err := json.Unmarshal([]byte(readFile(t, "python-values.json")), &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		v := dvc.Parse(row.Text)
		if got := dvc.Str(v); got != row.Str {
			t.Errorf("%s: str is %s, want %s", row.Text, got, row.Str)
		}
		if back := dvc.Str(dvc.Parse(dvc.Text(v))); back != row.Str {
			t.Errorf("%s: kept as %s it is %s, want %s", row.Text, dvc.Text(v), back, row.Str)
		}
		if row.Round5 == "" {
			continue
		}
		table := dvc.MetricsTable(dvc.Diff(nil, map[string]string{"f:k": row.Text}, true), dvc.TableOptions{Old: "a", New: "b"})
		cells := strings.Split(strings.Split(table, "\n")[2], "|")
		if got := strings.TrimSpace(cells[4]); got != row.Round5 {
			t.Errorf("%s: rounded it is %s, want %s", row.Text, got, row.Round5)
		}
	}
}

// The file was written by ruamel.yaml, which DVC reads YAML with.
func TestYAML(t *testing.T) {
	var files map[string]map[string]string
	if err := json.Unmarshal([]byte(readFile(t, "ruamel.json")), &files); err != nil {
		t.Fatal(err)
	}
	for text, want := range files {
		got, err := dvc.Flat("p.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		shown := map[string]string{}
		for name, v := range got {
			shown[strings.TrimPrefix(name, "p.yaml:")] = dvc.Str(v)
		}
		if d := cmp.Diff(want, shown); d != "" {
			t.Errorf("%s\n%s", text, d)
		}
	}
}

func TestTOMLAndJSON(t *testing.T) {
	want := []string{"a = 1", "f = 1.0", "list = [1, 2.5, 'x']", "n.deep.b = True", "s = x"}
	for name, text := range map[string]string{
		"p.toml": "a = 1\nf = 1.0\ns = \"x\"\nlist = [1, 2.5, \"x\"]\n[n.deep]\nb = true\n",
		"p.json": `{"a": 1, "f": 1.0, "s": "x", "list": [1, 2.5, "x"], "n": {"deep": {"b": true}}}`,
		"p.yml":  "a: 1\nf: 1.0\ns: x\nlist: [1, 2.5, x]\nn: {deep: {b: true}}\n",
	} {
		flat, err := dvc.Flat(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range slices.Sorted(maps.Keys(flat)) {
			got = append(got, strings.TrimPrefix(k, name+":")+" = "+dvc.Str(flat[k]))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// Strings stay strings, whatever they look like.
func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"winter": "winter", "12": `"12"`, "true": `"true"`, "a b": "a b", " a": " a", "[1]": `"[1]"`, "[x": "[x", "": "", "NaN": `"NaN"`, "1_000": "1_000", `"`: `"`,
	} {
		got := dvc.Text(text)
		if got != want {
			t.Errorf("%q is kept as %q, want %q", text, got, want)
		}
		if back := dvc.Parse(got); back != text {
			t.Errorf("%q kept as %q is %#v", text, got, back)
		}
	}
}
