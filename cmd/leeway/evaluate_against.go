package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/retrain/evaluation"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/evaluate"
)

// against is a comparison with the version in service, and where its report goes.
type against struct {
	version  string
	decision string
	asked    []string // versions that the report may name; none: all
	losses   bool
	block    int64
	report   string
}

// comparedView is a comparison as it is printed.
type comparedView struct {
	Against  string         `json:"against"`
	Rows     int64          `json:"rows"`
	Loss     string         `json:"loss"`
	Mean     float64        `json:"mean"`
	Versions []comparedWith `json:"versions"`
}

type comparedWith struct {
	Version       string  `json:"version"`
	Mean          float64 `json:"mean"`
	Gain          float64 `json:"gain"`
	StandardError float64 `json:"standardError"`
	// Better by more than two standard errors, on rows enough.
	Better bool `json:"better"`
}

// run compares the versions of a file with one of them, prints what it found, and
// leaves the report that a controller reads.
func (g against) run(a *app, f format, name string) error {
	live, err := registry.ParseNumber(g.version)
	if err != nil {
		return usage("--against %q: give the number of the version in service (env LEEWAY_PARENT_VERSION)", g.version)
	}
	if g.report != "" && g.decision == "" {
		return usage("--report is for a Job that Leeway started: LEEWAY_DECISION is not set")
	}
	in, err := a.openCSV(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if name == "-" {
		name = "standard input"
	}
	c, err := evaluate.Compare(name, in, evaluate.Options{Against: live, Losses: g.losses, Block: g.block})
	if err != nil {
		return err
	}
	if c.Rows < decide.MinEvaluated {
		a.note("%s: nothing is decided on %d rows, %d are needed", name, c.Rows, decide.MinEvaluated)
	}
	view := viewOf(c, live)
	if err := f.print(a.out, view, view.table); err != nil {
		return err
	}
	if g.report == "" {
		return nil
	}
	return g.write(a, view)
}

func viewOf(c evaluate.Comparison, live int64) comparedView {
	view := comparedView{Against: strconv.FormatInt(live, 10), Rows: c.Rows, Loss: c.Loss, Mean: c.Live, Versions: []comparedWith{}}
	for _, v := range c.Versions {
		view.Versions = append(view.Versions, comparedWith{
			Version: strconv.FormatInt(v.Version, 10), Mean: v.Mean, Gain: v.Gain, StandardError: v.StandardError,
			Better: c.Rows >= decide.MinEvaluated && decide.Measured{Gain: v.Gain, StandardError: v.StandardError}.Better(),
		})
	}
	return view
}

func (v comparedView) table(w io.Writer) {
	fmt.Fprintf(w, "VERSION\tROWS\t%s\tGAIN\tSTANDARD ERROR\tBETTER\n", v.Loss)
	fmt.Fprintf(w, "%s\t%d\t%s\t-\t-\t-\n", v.Against, v.Rows, fourDigits(v.Mean))
	for _, x := range v.Versions {
		better := "no"
		if x.Better {
			better = "yes"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", x.Version, v.Rows, fourDigits(x.Mean), fourDigits(x.Gain), fourDigits(x.StandardError), better)
	}
}

func fourDigits(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// write leaves the report of the versions that were asked for.
func (g against) write(a *app, v comparedView) error {
	r := evaluation.Report{Decision: g.decision, Rows: v.Rows, Loss: v.Loss, Live: evaluation.Live{Version: v.Against, Mean: v.Mean}, Versions: []evaluation.Version{}}
	for _, x := range v.Versions {
		if len(g.asked) > 0 && !slices.Contains(g.asked, x.Version) {
			a.note("version %s is left out of the report: LEEWAY_CANDIDATES does not name it", x.Version)
			continue
		}
		r.Versions = append(r.Versions, evaluation.Version{Version: x.Version, Mean: x.Mean, Gain: x.Gain, StandardError: x.StandardError})
	}
	b, err := r.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(g.report, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("leave the report: %w", err)
	}
	return nil
}
