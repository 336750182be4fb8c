package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/rules"
)

// nannymlPackages are NannyML and what it is run with.
var nannymlPackages = []string{
	"nannyml==0.13.1", "scikit-learn==1.5.2", "numpy==1.26.4", "pandas==2.3.3", "scipy==1.13.1",
	"statsmodels==0.15.0", "category-encoders==2.6.4", // which NannyML needs, but does not ask for
}

//go:embed expected.py
var expectedScript string

// expectedCase is a classifier on a data set: what expected.py writes.
type expectedCase struct {
	Group, Classifier string
	Calibrated        bool
	Columns           []string
	Windows           []expectedWindow
}

// expectedWindow is a window of live rows: its true error, and what NannyML and
// the rule expect.
type expectedWindow struct {
	Shift      string
	Rows       int
	True, CBPE float64
	ours       float64
}

// expected prints how far the error that is expected without labels is from the
// true one, beside NannyML's CBPE.
func (b *bench) expected(ctx context.Context) error {
	python, err := installed(ctx, nannymlPackages, "nannyml")
	if err != nil {
		fmt.Println("\nNannyML takes no part:", err)
		return ctx.Err()
	}
	dir, err := os.MkdirTemp("", "bench-rules-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	v := b.values
	v.Clustering.Assumed = 1 // rows are independent
	v.ExpectedError.Window, v.ExpectedError.For = rules.Duration(time.Hour), 0
	rule := expectedRule{dir: dir, values: v}
	fmt.Fprintln(os.Stderr, "with", strings.Join(nannymlPackages, " "))
	var tables expectedTables
	for repeat := range max(int(10*b.scale), 1) {
		for _, group := range expectedGroups {
			cases, err := expectedCases(ctx, python, dir, b.seed+uint64(repeat), group)
			if err != nil {
				return fmt.Errorf("%s: %w", group, err)
			}
			for i := range cases {
				if err := cases[i].judge(ctx, dir, i, rule); err != nil {
					return fmt.Errorf("%s, %s: %w", group, cases[i].Classifier, err)
				}
				tables.add(repeat, cases[i])
			}
			fmt.Fprintf(os.Stderr, "%s, repeat %d\n", group, repeat+1)
		}
	}
	tables.print(b)
	return nil
}

// expectedGroups are the data sets of expected.py.
var expectedGroups = []string{"binary", "rare", "four", "flights", "delays", "bikes"}

// expectedCases has a group's rows written.
func expectedCases(ctx context.Context, python, dir string, seed uint64, group string) ([]expectedCase, error) {
	cmd := exec.CommandContext(ctx, python, "-c", expectedScript, dir, fmt.Sprint(seed), group)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "NML_DISABLE_USAGE_LOGGING=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("expected.py: %w: %.2000s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		return nil, err
	}
	var list struct{ Cases []expectedCase }
	return list.Cases, json.Unmarshal(data, &list)
}

// judge has the reference rows profiled, counts the live ones in its bins, and
// asks the rule.
func (c *expectedCase) judge(ctx context.Context, dir string, i int, rule expectedRule) error {
	sources, err := dataset.Files(filepath.Join(dir, fmt.Sprintf("reference-%d.csv", i)))
	if err != nil {
		return err
	}
	p, _, err := dataset.Profile(ctx, sources, dataset.Options{Label: "label", Predictions: c.Columns, TempDir: dir})
	if err != nil {
		return err
	}
	// The highest of several classes comes after them.
	binners := make([]*profile.Binner, len(p.Predictions))
	for k, column := range p.Predictions {
		if binners[k], err = profile.NewBinner(column); err != nil {
			return err
		}
	}
	f, err := os.Open(filepath.Join(dir, fmt.Sprintf("scores-%d.f64", i)))
	if err != nil {
		return err
	}
	defer f.Close()
	scores := bufio.NewReaderSize(f, 1<<20)
	row := make([]byte, 8*len(c.Columns))
	var counts [][][]int64
	for _, w := range c.Windows {
		n := make([][]int64, len(p.Predictions))
		for k, column := range p.Predictions {
			n[k] = make([]int64, len(column.Bins))
		}
		for range w.Rows {
			if _, err := io.ReadFull(scores, row); err != nil {
				return err
			}
			highest := math.Inf(-1)
			for k := range c.Columns {
				v := math.Float64frombits(binary.LittleEndian.Uint64(row[8*k:]))
				highest = max(highest, v)
				n[k][binners[k].Number(v)]++
			}
			if k := len(c.Columns); k < len(n) {
				n[k][binners[k].Number(highest)]++
			}
		}
		counts = append(counts, n)
	}
	answers, err := rule.expected(ctx, p.Predictions, counts)
	for k, a := range answers {
		c.Windows[k].ours = a
	}
	return err
}
