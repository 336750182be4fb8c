package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// completeWithin is how long a shell waits for names from the registry.
const completeWithin = 2 * time.Second

type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// addCompletions has the shell complete models and versions from the registry,
// wherever a command takes them.
func (a *app) addCompletions(root *cobra.Command) {
	arguments := map[string]int{"versions": 1, "show": 2, "match": 1, "diff": 3, "reject": 2, "retire": 2, "gc": 1, "adopt": 1}
	for _, cmd := range root.Commands() {
		if n, ok := arguments[cmd.Name()]; ok {
			cmd.ValidArgsFunction = a.completeArguments(n)
		}
		for flag, complete := range map[string]completion{
			"model": a.completeModel, "live": a.completeVersion, "parent": a.completeVersion,
			"output": oneOf("table", "json", "yaml"), "lifecycle": oneOf(allLifecycles()...),
		} {
			if f := cmd.Flags().Lookup(flag); f != nil && (flag != "output" || f.Value.Type() == "format") {
				_ = cmd.RegisterFlagCompletionFunc(flag, complete) // fails only for a flag that is not there, or twice
			}
		}
	}
	_ = root.RegisterFlagCompletionFunc("store", oneOf("dir:", "kube:", "s3://", "leeway+https://"))
}

func oneOf(words ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeArguments completes a model and then versions of it, so many
// arguments together.
func (a *app) completeArguments(n int) completion {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) >= n && cmd.Name() == "adopt": // files follow
			return nil, cobra.ShellCompDirectiveDefault
		case len(args) >= n:
			return nil, cobra.ShellCompDirectiveNoFileComp
		case len(args) == 0:
			return a.completeModel(cmd, args, typed)
		}
		return a.versionsOf(cmd, args[0])
	}
}

func (a *app) completeModel(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	s, err := a.open(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	models, _ := s.Models(ctx) // a shell has no place for errors
	return models, cobra.ShellCompDirectiveNoFileComp
}

// completeVersion completes versions of the model that the command line names.
func (a *app) completeVersion(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	model := ""
	if f := cmd.Flags().Lookup("model"); f != nil {
		model = f.Value.String()
	} else if len(args) > 0 {
		model = args[0]
	}
	return a.versionsOf(cmd, model)
}

func (a *app) versionsOf(cmd *cobra.Command, model string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	s, err := a.open(ctx)
	if err != nil || model == "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	versions, _ := s.List(ctx, model) // a shell has no place for errors
	var out []string
	for _, v := range versions {
		out = append(out, fmt.Sprintf("%d\t%s, %s", v.Number, v.Lifecycle, v.Created.UTC().Format(time.DateOnly)))
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
