package rules

// Values is everything that can be set in the rules. The fields, their units
// and their reasons are written out in defaults/values.yaml, which is also
// where the defaults come from.
type Values struct {
	ScrapeInterval Duration `yaml:"scrapeInterval"`
	// Fast takes the preset for agents that scrape every second.
	Fast          bool              `yaml:"fast"`
	Budgets       Budgets           `yaml:"budgets"`
	Floors        Floors            `yaml:"floors"`
	Clustering    Clustering        `yaml:"clustering"`
	Clocks        Clocks            `yaml:"clocks"`
	BrokenInput   BrokenInput       `yaml:"brokenInput"`
	Errors        Errors            `yaml:"errors"`
	Latency       Latency           `yaml:"latency"`
	SLO           SLO               `yaml:"slo"`
	Quality       Quality           `yaml:"quality"`
	ExpectedError ExpectedError     `yaml:"expectedError"`
	Feedback      Feedback          `yaml:"feedback"`
	NoData        NoData            `yaml:"noData"`
	Unknown       Unknown           `yaml:"unknown"`
	Freshness     Freshness         `yaml:"freshness"`
	Health        Health            `yaml:"health"`
	Labels        map[string]string `yaml:"labels"`
	// RunbookURL gets the anchor of the alert, DashboardURL the model's labels.
	RunbookURL   string `yaml:"runbookURL"`
	DashboardURL string `yaml:"dashboardURL"`
}

// Budgets are the false alarms allowed per model, over all its columns and all
// enabled clocks.
type Budgets struct {
	Inputs  Budget `yaml:"inputs"`
	Outputs Budget `yaml:"outputs"`
	Answers Budget `yaml:"answers"`
	// Window is what promised and spent alarms are counted over.
	Window Duration `yaml:"window"`
}

// Budget allows so many false alarms in so much time.
type Budget struct {
	FalseAlarms float64  `yaml:"falseAlarms"`
	Per         Duration `yaml:"per"`
}

// Floors are the smallest Jensen-Shannon distances (base 2, square root, 0 to
// 1) worth an alert.
type Floors struct {
	Inputs  float64 `yaml:"inputs"`
	Outputs float64 `yaml:"outputs"`
	Binary  float64 `yaml:"binary"`
}

// Clustering is what is assumed of it until it is known.
type Clustering struct {
	Assumed float64 `yaml:"assumed"`
}

// Clocks are the windows over which drift is looked for.
type Clocks struct {
	Page Clock `yaml:"page"`
	Act  Clock `yaml:"act"`
	Slow Clock `yaml:"slow"`
}

// Clock is what an alert is for, and the windows that raise it.
type Clock struct {
	Enabled          bool       `yaml:"enabled"`
	Windows          []Duration `yaml:"windows,flow"`
	MinEffectiveRows float64    `yaml:"minEffectiveRows"`
	Ranks            bool       `yaml:"ranks"`
	History          bool       `yaml:"history"`
	LastWeek         bool       `yaml:"lastWeek"`
	Severity         string     `yaml:"severity"`
}

// BrokenInput is about missing, unseen and far out of range values, and about
// requests that can't be read.
type BrokenInput struct {
	Enabled  bool     `yaml:"enabled"`
	Window   Duration `yaml:"window"`
	For      Duration `yaml:"for"`
	Interval Duration `yaml:"interval"`
	MinRows  float64  `yaml:"minRows"`
	Points   float64  `yaml:"points"`
	Sigmas   float64  `yaml:"sigmas"`
	// Baseline and the rest are of requests that can't be read.
	Baseline       Duration `yaml:"baseline"`
	BaselineOffset Duration `yaml:"baselineOffset"`
	MaxBaseline    float64  `yaml:"maxBaseline"`
	Severity       string   `yaml:"severity"`
}

// Errors is about answers of the 5xx class.
type Errors struct {
	Enabled        bool     `yaml:"enabled"`
	Window         Duration `yaml:"window"`
	For            Duration `yaml:"for"`
	Interval       Duration `yaml:"interval"`
	MinRequests    float64  `yaml:"minRequests"`
	Points         float64  `yaml:"points"`
	Sigmas         float64  `yaml:"sigmas"`
	Baseline       Duration `yaml:"baseline"`
	BaselineOffset Duration `yaml:"baselineOffset"`
	MaxBaseline    float64  `yaml:"maxBaseline"`
	Severity       string   `yaml:"severity"`
}

// Latency is about a quantile of the time to a good answer.
type Latency struct {
	Enabled        bool     `yaml:"enabled"`
	Window         Duration `yaml:"window"`
	For            Duration `yaml:"for"`
	Interval       Duration `yaml:"interval"`
	MinRequests    float64  `yaml:"minRequests"`
	Quantile       float64  `yaml:"quantile"`
	Factor         float64  `yaml:"factor"`
	Margin         Duration `yaml:"margin"`
	Baseline       Duration `yaml:"baseline"`
	BaselineOffset Duration `yaml:"baselineOffset"`
	Severity       string   `yaml:"severity"`
}

// Quality is about the error on labelled rows. Factor is that of the drift clocks
// on right and wrong answers, too.
type Quality struct {
	Enabled   bool     `yaml:"enabled"`
	Window    Duration `yaml:"window"`
	For       Duration `yaml:"for"`
	Interval  Duration `yaml:"interval"`
	MinLabels float64  `yaml:"minLabels"`
	// MinClassLabels and RecallPoints are of the recall of a class.
	MinClassLabels float64  `yaml:"minClassLabels"`
	RecallPoints   float64  `yaml:"recallPoints"`
	Factor         float64  `yaml:"factor"`
	Sigmas         float64  `yaml:"sigmas"`
	Baseline       Duration `yaml:"baseline"`
	Severity       string   `yaml:"severity"`
}

// SLO is the share of answers that may be bad, and how many there must be to
// tell how fast it is used up.
type SLO struct {
	Enabled        bool       `yaml:"enabled"`
	Availability   float64    `yaml:"availability"`
	Latency        LatencySLO `yaml:"latency"`
	MinRequests    float64    `yaml:"minRequests"`
	Interval       Duration   `yaml:"interval"`
	PageSeverity   string     `yaml:"pageSeverity"`
	TicketSeverity string     `yaml:"ticketSeverity"`
}

// LatencySLO wants this share of the good answers within the threshold.
type LatencySLO struct {
	Threshold Duration `yaml:"threshold"`
	Target    float64  `yaml:"target"`
}

// ExpectedError is about the error that predictions alone let expect.
type ExpectedError struct {
	Enabled          bool     `yaml:"enabled"`
	Window           Duration `yaml:"window"`
	For              Duration `yaml:"for"`
	Interval         Duration `yaml:"interval"`
	MinEffectiveRows float64  `yaml:"minEffectiveRows"`
	Factor           float64  `yaml:"factor"`
	Points           float64  `yaml:"points"`
	Sigmas           float64  `yaml:"sigmas"`
	Severity         string   `yaml:"severity"`
}

// Feedback is about labels that stopped or come late. Windows are those of
// Quality.
type Feedback struct {
	Enabled  bool     `yaml:"enabled"`
	For      Duration `yaml:"for"`
	Factor   float64  `yaml:"factor"`
	Margin   Duration `yaml:"margin"`
	Severity string   `yaml:"severity"`
}

// Freshness is about rows that stopped, and the age of training data. A
// MaxTrainingAge of 0 is none.
type Freshness struct {
	Enabled          bool     `yaml:"enabled"`
	Window           Duration `yaml:"window"`
	For              Duration `yaml:"for"`
	Interval         Duration `yaml:"interval"`
	MinRequests      float64  `yaml:"minRequests"`
	Severity         string   `yaml:"severity"`
	MaxTrainingAge   Duration `yaml:"maxTrainingAge"`
	TrainingSeverity string   `yaml:"trainingSeverity"`
}

// Health is about Leeway itself.
type Health struct {
	Enabled     bool     `yaml:"enabled"`
	Window      Duration `yaml:"window"`
	For         Duration `yaml:"for"`
	Interval    Duration `yaml:"interval"`
	MaxLag      Duration `yaml:"maxLag"`
	MaxDropped  float64  `yaml:"maxDropped"`
	MinRequests float64  `yaml:"minRequests"`
	MaxSeries   float64  `yaml:"maxSeries"`
	StuckAfter  Duration `yaml:"stuckAfter"`
	Severity    string   `yaml:"severity"`
}

// NoData is about guarded models that nothing is heard of.
type NoData struct {
	Enabled  bool     `yaml:"enabled"`
	Window   Duration `yaml:"window"`
	For      Duration `yaml:"for"`
	Interval Duration `yaml:"interval"`
	Severity string   `yaml:"severity"`
}

// Unknown is about models with too few rows to judge.
type Unknown struct {
	Enabled  bool   `yaml:"enabled"`
	Severity string `yaml:"severity"`
}
