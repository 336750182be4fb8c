package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// format is how an answer is printed.
type format string

func (f *format) addTo(cmd *cobra.Command) {
	*f = "table"
	cmd.Flags().VarP(f, "output", "o", "json, yaml or table")
}

// String implements pflag.Value.
func (f *format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

// Set implements pflag.Value.
func (f *format) Set(s string) error {
	switch s {
	case "json", "yaml", "table":
		*f = format(s)
		return nil
	}
	return fmt.Errorf("%q is not one of json, yaml, table", s)
}

// print writes the answer as JSON or YAML, or lets table write it for people.
func (f *format) print(w io.Writer, answer any, table func(io.Writer)) error {
	switch *f {
	case "json":
		b, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return err
	case "yaml":
		b, err := yaml.Marshal(answer)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	table(t)
	return t.Flush()
}
