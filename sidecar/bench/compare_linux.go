package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// whylogsVersion is the newest.
const whylogsVersion = "1.6.4"

//go:embed whylogs.py
var whylogsScript string

// whylogsBatch is how many rows come at a time.
const whylogsBatch = 1000

// comparison is a task of ours against one of whylogs, with what the ratio should be; 0: nothing is asked.
type comparison struct {
	what, ours, its string
	ratio           float64
}

func comparisons() []comparison {
	batch := fmt.Sprintf("/%d", whylogsBatch)
	return []comparison{
		{"single rows, JSON requests ÷ track(row=…) of a profile that is kept", taskRow, "track-row", 100},
		{"single rows, JSON requests ÷ log(row=…), a profile each", taskRow, "log-row", 0},
		{"cells in batches, JSON requests ÷ log(pandas=…) of a ready frame", taskObserver + batch, "log-batch", 10},
		{"cells in batches, binary requests ÷ log(pandas=…)", taskBinary + batch, "log-batch", 25},
		{"cells in batches, JSON requests ÷ track(…) of a profile that is kept", taskObserver + batch, "track-batch", 10},
		{"cells in batches, binary requests ÷ track(…)", taskBinary + batch, "track-batch", 25},
	}
}

// whylogs compares what a processor observes of ours with what it profiles with whylogs, in turn.
func (b *bench) whylogs(ctx context.Context) error {
	b.progress("whylogs: finding or installing it")
	python, err := whylogsPython(ctx)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(b.out, "\nwhylogs takes no part:", err)
		return nil
	} else if err != nil {
		return err
	}
	var undo stops
	defer undo.all()
	its, err := newWorker(exec.Command(python, "-c", whylogsScript), &undo)
	if err != nil {
		return err
	}
	us, err := ours(&undo)
	if err != nil {
		return err
	}
	list := comparisons()
	mine, theirs := make([]values, len(list)), make([]values, len(list))
	err = b.inTurn(ctx, "whylogs", func() error {
		for i, c := range list {
			m, err := us.do(c.ours, b.seconds())
			if err != nil {
				return err
			}
			t, err := its.do(c.its, 2*b.seconds())
			if err != nil {
				return err
			}
			mine[i], theirs[i] = append(mine[i], m), append(theirs[i], t)
		}
		return nil
	})
	b.printWhylogs(list, mine, theirs)
	return err
}

func (b *bench) printWhylogs(list []comparison, mine, theirs []values) {
	header(b.out, fmt.Sprintf("### whylogs %s, %d columns: thousands a second of processor time", whylogsVersion, columns),
		"", "ours, read, parsed and recorded", "whylogs, of values that are ready", "ratio")
	for i, c := range list {
		ratio := mine[i].over(theirs[i])
		row(b.out, c.what, mine[i].spread("%.1f", 1000), theirs[i].spread("%.2f", 1000), ratio.spread("%.0f", 1))
		if c.ratio > 0 && len(ratio) > 0 {
			b.goals.least(c.what+", per processor", ratio.median(), c.ratio, "%.0f ×", "")
		}
	}
}

// whylogsPython is a Python that has whylogs, in a folder that is kept.
func whylogsPython(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "leeway", "whylogs-"+whylogsVersion)
	python := filepath.Join(dir, "bin", "python")
	if exec.CommandContext(ctx, python, "-c", "import whylogs, pandas").Run() == nil {
		return python, nil
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", "--clear", dir},
		{python, "-m", "pip", "install", "--quiet", "whylogs==" + whylogsVersion, "numpy<2", "pandas<3"},
		{python, "-c", "import whylogs, pandas"},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %.500s", args[0], err, out)
		}
	}
	return python, nil
}
