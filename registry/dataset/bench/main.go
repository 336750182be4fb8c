// Command bench compares "leeway profile" with pandas and whylogs, which most
// people would profile training data with: the same CSV and Parquet file, in
// turn, in seconds of processor time, which other work on the machine hardly
// changes. Ours are those of the whole program, with bins and quantiles that are
// exact; theirs only those of reading and logging.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed peer.py
var peer string

const whylogs = "1.6.4"

func main() {
	rows := flag.Int("rows", 500_000, "of the files, 20 columns each")
	rounds := flag.Int("rounds", 3, "of which the median counts")
	program := flag.String("leeway", "bin/leeway", "the program that is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *program, *rows, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program string, rows, rounds int) error {
	python, err := install(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "leeway-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	prefix := filepath.Join(dir, "train")
	if out, err := exec.CommandContext(ctx, python, "-c", peer, "make", prefix, strconv.Itoa(rows)).CombinedOutput(); err != nil {
		return fmt.Errorf("making the files: %w: %s", err, out)
	}
	fmt.Printf("%d rows of 20 columns; seconds of processor time, medians of %d rounds\n\n", rows, rounds)
	fmt.Println("| | pandas, whylogs " + whylogs + " | leeway profile | ratio, least and most | goal | peak memory |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	for _, file := range []struct {
		extension string
		goal      float64
	}{{".csv", 5}, {".parquet", 10}} {
		var theirs, ours, ratios []float64
		var memory int64
		for range rounds {
			t, err := log(ctx, python, prefix+file.extension)
			if err != nil {
				return err
			}
			o, peak, err := profile(ctx, program, prefix+file.extension)
			if err != nil {
				return err
			}
			theirs, ours, ratios, memory = append(theirs, t), append(ours, o), append(ratios, t/o), max(memory, peak)
		}
		fmt.Printf("| %s | %.2f | %.2f | %.1f (%.1f to %.1f) | %.0f | %d MB |\n", file.extension, median(theirs), median(ours), median(ratios),
			slices.Min(ratios), slices.Max(ratios), file.goal, memory>>10)
	}
	return nil
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

func log(ctx context.Context, python, path string) (float64, error) {
	cmd := exec.CommandContext(ctx, python, "-c", peer, "log", path)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "WHYLOGS_NO_ANALYTICS=True")
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("whylogs: %w", err)
	}
	lines := strings.Fields(string(out))
	return strconv.ParseFloat(lines[len(lines)-1], 64)
}

// profile returns seconds of processor time and KB of peak memory.
func profile(ctx context.Context, program, path string) (float64, int64, error) {
	cmd := exec.CommandContext(ctx, program, "profile", path, "-q", "-o", path+".json")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w: %s", program, err, out)
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(used.Utime) + seconds(used.Stime), used.Maxrss, nil
}

// install is a Python that has whylogs, in a folder that is kept.
func install(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "leeway", "whylogs-"+whylogs)
	python := filepath.Join(dir, "bin", "python")
	check := []string{python, "-c", "import whylogs as why, pandas, pyarrow; why.log(pandas.DataFrame({\"x\": [1.0]}))"}
	if exec.CommandContext(ctx, check[0], check[1:]...).Run() == nil {
		return python, nil
	}
	fmt.Fprintln(os.Stderr, "installing whylogs, pandas and pyarrow into", dir)
	begin := time.Now()
	for _, args := range [][]string{
		{"python3", "-m", "venv", "--clear", dir},
		{python, "-m", "pip", "install", "--quiet", "whylogs==" + whylogs, "numpy<2", "pandas<3", "pyarrow<20"},
		check,
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %.500s", args[0], err, out)
		}
	}
	fmt.Fprintf(os.Stderr, "in %.0f s\n", time.Since(begin).Seconds())
	return python, nil
}
