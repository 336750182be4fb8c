//lint:file-ignore SA1019 Grafana's file provisioning takes only the classic form, which the SDK calls deprecated.

package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// kind is how a panel draws its series.
type kind int

const (
	lines kind = iota // over time
	states
	number
	bars // as of now
)

// panel is one panel: a title, a sentence on how to read it, and queries.
type panel struct {
	kind        kind
	title       string
	description string
	unit        string
	width       uint32 // of 24
	queries     []query
	max         float64 // of the axis, where it has one
}

type query struct{ expr, legend string }

func (p panel) targets() []cog.Builder[prometheusQuery] {
	var targets []cog.Builder[prometheusQuery]
	for i, q := range p.queries {
		b := prometheus.NewDataqueryBuilder().Expr(q.expr).LegendFormat(q.legend).RefId(string(rune('A' + i)))
		if p.kind == bars || p.kind == number {
			b = b.Instant()
		}
		targets = append(targets, b)
	}
	return targets
}

func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

// build makes Grafana's panel.
func (p panel) build() cog.Builder[dashboard.Panel] {
	const height = 8
	switch p.kind {
	case states:
		return statetimeline.NewPanelBuilder().Title(p.title).Description(p.description).Datasource(source()).
			Targets(p.targets()).Span(p.width).Height(height).Unit(p.unit).MergeValues(true)
	case number:
		return stat.NewPanelBuilder().Title(p.title).Description(p.description).Datasource(source()).
			Targets(p.targets()).Span(p.width).Height(height / 2).Unit(p.unit)
	case bars:
		return bargauge.NewPanelBuilder().Title(p.title).Description(p.description).Datasource(source()).
			Targets(p.targets()).Span(p.width).Height(height).Unit(p.unit).Orientation(common.VizOrientationHorizontal)
	default:
		b := timeseries.NewPanelBuilder().Title(p.title).Description(p.description).Datasource(source()).
			Targets(p.targets()).Span(p.width).Height(height).Unit(p.unit).FillOpacity(8).Min(0)
		if p.max > 0 {
			b = b.Max(p.max)
		}
		return b
	}
}

// variable lets the reader choose a label's value, or all.
func variable(name, query string) cog.Builder[dashboard.VariableModel] {
	return dashboard.NewQueryVariableBuilder(name).Datasource(source()).
		Query(dashboard.StringOrMap{String: cog.ToPtr(query)}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).IncludeAll(true).AllValue(".+").Multi(true)
}

// board puts rows of panels under a title.
func board(uid, title, description string, variables []cog.Builder[dashboard.VariableModel], rows []row) (dashboard.Dashboard, error) {
	b := dashboard.NewDashboardBuilder(title).Uid(uid).Description(description).Tags([]string{"leeway"}).
		Time("now-3h", "now").Refresh("30s").Timezone("browser").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus")).
		Annotation(dashboard.NewAnnotationQueryBuilder().Name("Decisions").Enable(true).Datasource(source()).IconColor("orange").
			Expr(decided).TitleFormat("{{guard}}: {{action}}").TextFormat("{{cause}}, {{reason}}"))
	for _, v := range variables {
		b = b.WithVariable(v)
	}
	for _, r := range rows {
		b = b.WithRow(dashboard.NewRowBuilder(r.title))
		for _, p := range r.panels {
			b = b.WithPanel(p.build())
		}
	}
	return b.Build()
}

type row struct {
	title  string
	panels []panel
}

const (
	perSecond = units.RequestsPerSecond
	share     = units.PercentUnit
	seconds   = units.Seconds
	plain     = units.Short
)
