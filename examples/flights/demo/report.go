package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// report is what the demo leaves behind, build/demo/report.json.
type report struct {
	Scenarios []scenario       `json:"scenarios"`
	Memory    map[string]int64 `json:"memory"` // peak resident, in bytes
	Seconds   float64          `json:"seconds"`
	Notes     []string         `json:"notes,omitempty"`

	mu sync.Mutex
}

type scenario struct {
	Name             string   `json:"name"`
	Passed           bool     `json:"passed"`
	DetectedSeconds  *float64 `json:"detectedSeconds"`
	RecoveredSeconds *float64 `json:"recoveredSeconds"`
	VersionBefore    string   `json:"versionBefore"`
	VersionAfter     string   `json:"versionAfter"`
	Requests         int      `json:"requests"`
	RequestsFailed   int      `json:"requestsFailed"`
	ErrorBefore      *float64 `json:"errorBefore"` // mean absolute error, minutes
	ErrorDuring      *float64 `json:"errorDuring"`
	ErrorAfter       *float64 `json:"errorAfter"`
	Labels           int      `json:"labels"` // behind the error figure with the fewest
	Detail           string   `json:"detail"`
}

// note keeps something odd that did not fail anything, twenty at most.
func (r *report) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.Notes) < 20 {
		r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
	}
}

func (r *report) write(dir string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "report.json"), append(b, '\n'), 0o644)
}

// table prints the report for people.
func (r *report) table() {
	number := func(x *float64, format string) string {
		if x == nil {
			return "–"
		}
		return fmt.Sprintf(format, *x)
	}
	fmt.Printf("\n%-15s %-6s %9s %10s %9s   %-22s %9s %6s %7s\n", "scenario", "", "detected", "recovered", "version", "error before/during/after", "requests", "lost", "labels")
	for _, s := range r.Scenarios {
		verdict := "ok"
		if !s.Passed {
			verdict = "FAILED"
		}
		version := s.VersionBefore + " → " + s.VersionAfter
		if s.VersionBefore == s.VersionAfter {
			version = s.VersionAfter
		}
		errors := strings.Join([]string{number(s.ErrorBefore, "%.1f"), number(s.ErrorDuring, "%.1f"), number(s.ErrorAfter, "%.1f")}, " / ")
		fmt.Printf("%-15s %-6s %9s %10s %9s   %-25s %9d %6d %7d\n", s.Name, verdict, number(s.DetectedSeconds, "%.1f s"),
			number(s.RecoveredSeconds, "%.1f s"), version, errors, s.Requests, s.RequestsFailed, s.Labels)
		if !s.Passed {
			fmt.Printf("    %s\n", s.Detail)
		}
	}
	var memory []string
	for _, name := range []string{"sidecar", "node", "controller"} {
		memory = append(memory, fmt.Sprintf("%s %.0f MB", name, float64(r.Memory[name])/1e6))
	}
	fmt.Printf("\npeak memory: %s; %.0f s in all\n", strings.Join(memory, ", "), r.Seconds)
}

func seconds(d time.Duration) *float64 {
	s := d.Seconds()
	return &s
}
