package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	prules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/leeway-dev/leeway/rules"
)

// load makes the rule groups of a rendered file, for Prometheus' own engine.
func load(dir, file string, v rules.Values, db *tsdb.DB, engine *promql.Engine) (map[string]*prules.Group, error) {
	files, err := rules.Render(v)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, files[file], 0o600); err != nil {
		return nil, err
	}
	m := prules.NewManager(&prules.ManagerOptions{
		QueryFunc:    prules.EngineQueryFunc(engine, db),
		NotifyFunc:   func(context.Context, string, ...*prules.Alert) {},
		AppendableV2: db,
		Queryable:    db,
		Logger:       slog.New(slog.DiscardHandler),
		Parser:       parser.NewParser(parser.Options{}),
	})
	groups, errs := m.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, path)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return groups, nil
}
