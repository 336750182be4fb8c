package observe_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// held is how much more memory is in use after f than before.
func held(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

const hostileTraining = "n,c,e,y\n1,a,\"[1,2]\",0.1\n2,b,\"[3,4]\",0.2\n3,a,\"[5,6]\",0.3\n"

// A million categories, a million names: memory is bounded, and all is accounted for.
func TestMillions(t *testing.T) {
	if testing.Short() {
		t.Skip("parses a hundred MB")
	}
	const bodies, each = 200, 5000
	o, r, send := watching(t, hostileTraining, dataset.Options{Predictions: []string{"y"}}, zap.NewNop())
	before := len(series(t, r))
	grown := held(func() {
		for i := range bodies {
			var categories, names strings.Builder
			for j := range each {
				fmt.Fprintf(&categories, `,{"n":1,"e":[1,2],"c":"%d-%s"}`, i*each+j, strings.Repeat("x", 50))
				fmt.Fprintf(&names, `,"%d-%s":1`, i*each+j, strings.Repeat("x", 50))
			}
			send(`{"instances":[`+categories.String()[1:]+`]}`, ``)
			send(`{"instances":[{`+names.String()[1:]+`}]}`, ``)
		}
	})
	m := series(t, r)
	for name, want := range map[string]float64{
		"leeway_unknown_column_values_total ":                      bodies * each,
		"leeway_feature_observations_total bin=unseen feature=c":   bodies * each,
		"leeway_feature_observations_total bin=missing feature=c":  bodies,
		"leeway_feature_observations_total bin=missing feature=n":  bodies,
		"leeway_folded_values_total reason=vector":                 2 * bodies * each,
		"leeway_captures_total result=" + string(metrics.Panicked): 0,
	} {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
	if len(m) != before {
		t.Errorf("%d series, %d before", len(m), before)
	}
	live := o.Live(time.Now().Add(-time.Hour), time.Now())
	if c := live.Features[1]; len(c.Categories) != profile.MaxCategories || c.Folded == 0 {
		t.Errorf("%d categories, %d rows without a name", len(c.Categories), c.Folded)
	}
	if folded := m["leeway_folded_values_total reason=category"]; folded < bodies*each*9/10 {
		t.Errorf("%v categories folded", folded)
	}
	t.Logf("%d KiB held", grown>>10)
	if grown > 8<<20 {
		t.Errorf("%d bytes held", grown)
	}
}

// The same without a reference: what is learned stays within its budget, and what is refused is counted.
func TestLearnMillions(t *testing.T) {
	if testing.Short() {
		t.Skip("parses a hundred MB")
	}
	const bodies, each = 100, 5000
	o, r, send := learning(t)
	grown := held(func() {
		for i := range bodies {
			var names, vectors strings.Builder
			for j := range each {
				fmt.Fprintf(&names, `,"%d-%s":"%d"`, i*each+j, strings.Repeat("x", 50), i*each+j)
				fmt.Fprintf(&vectors, `,"v%d-%s":[1,2]`, i*each+j, strings.Repeat("x", 50))
			}
			send(`{"instances":[{`+names.String()[1:]+`}]}`, ``)
			send(`{"instances":[{`+vectors.String()[1:]+`}]}`, ``)
		}
	})
	p := learned(o)
	if _, err := p.Encode(); err != nil || len(p.Features) != profile.MaxColumns {
		t.Errorf("%d columns learned, %v", len(p.Features), err)
	}
	// Of each vector nine columns are refused; the first bodies fill what room there is.
	refused := series(t, r)["leeway_folded_values_total reason=column"]
	if all := float64(bodies * each * 10); refused < all*98/100 || refused > all {
		t.Errorf("%v values refused, want nearly %v", refused, all)
	}
	t.Logf("%d KiB held", grown>>10)
	if grown > memory {
		t.Errorf("%d bytes held", grown)
	}
}

// Whatever is sent, nothing panics, and each row of what can be read counts once in each column.
func TestHostileBodies(t *testing.T) {
	o, r, send := watching(t, hostileTraining, dataset.Options{Predictions: []string{"y"}}, zap.NewNop())
	labels := []string{`"a\nb"`, `"a\"b"`, `"a\\b"`, `"\u0000"`, `"{}"`, `"é"`, `"` + strings.Repeat("x", 100_000) + `"`, `"sha256:0123456789abcdef"`, `" "`, `""`}
	rows := 0.0
	for _, label := range labels {
		send(`{"instances":[{"n":`+label+`,"c":`+label+`,"e":[1,`+label+`]},{"e":`+label+`,`+label+`:1}]}`, `{"predictions":[`+label+`,1]}`)
		rows += 2
	}
	for _, e := range []string{`[]`, `[1]`, `1`, `null`, `true`, `[null]`, `[1,"x",true,null]`, `[[1],[2]]`, `[Infinity]`, `[1e308,1e308]`, `{"b64":"AA=="}`, `{"b64":"?"}`} {
		send(`{"instances":[{"n":1,"c":1.5,"e":`+e+`}]}`, `{"predictions":[null]}`)
		rows++
	}
	unparsable := 0.0
	for _, e := range []string{`[1,[2]]`, `[[1],[2,3]]`, `{}`, `{"a":1}`, `[{}]`, `[1,]`, strings.Repeat("[", 33) + strings.Repeat("]", 33), "\"\xff\"", "\"\x00\""} {
		send(`{"instances":[{"n":1,"c":"a","e":`+e+`}]}`, ``)
		unparsable++
	}
	var tensors strings.Builder
	for i := range 4097 {
		fmt.Fprintf(&tensors, `,"%d":[[1,2]]`, i)
		if i == 4095 {
			send(`{"inputs":{`+tensors.String()[1:]+`}}`, `{"predictions":[1]}`)
			rows++
		}
	}
	send(`{"inputs":{`+tensors.String()[1:]+`}}`, `{"predictions":[1]}`)
	unparsable++
	m := series(t, r)
	for result, want := range map[metrics.Result]float64{metrics.Panicked: 0, metrics.Unparsable: unparsable, metrics.Observed: rows - float64(len(labels))} {
		if got := m["leeway_captures_total result="+string(result)]; got != want {
			t.Errorf("%v %s, want %v", got, result, want)
		}
	}
	for name, v := range m {
		if strings.Contains(name, "feature=") && strings.Contains(name, "bin=") && v > rows {
			t.Errorf("%s is %v, of %v rows", name, v, rows)
		}
	}
	live := o.Live(time.Now().Add(-time.Hour), time.Now())
	for _, c := range live.Features {
		if float64(c.Rows) != rows {
			t.Errorf("%s has %d rows, want %v", c.Name, c.Rows, rows)
		}
	}
	if _, err := live.Encode(); err != nil {
		t.Error(err)
	}
}

// Of a redacted column no category leaves in plain: not as a label, not in the live profile, not in a log; nor does a
// rare one of any column in a profile.
func TestNothingInPlain(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	var csv strings.Builder
	csv.WriteString("c,d,y\n")
	for range 30 {
		csv.WriteString("secret-of-training,x,secret-answer\n")
	}
	o, r, send := watching(t, csv.String(), dataset.Options{Predictions: []string{"y"}, Redact: []string{"c", "y"}}, zap.New(core))
	for i := range 30 {
		send(fmt.Sprintf(`{"instances":[{"c":"secret-of-training","d":"x"},{"c":"secret-new","d":"secret-%d"}]}`, i), `{"predictions":["secret-answer","secret-other"]}`)
		if logs.Len() > 0 {
			t.Fatal(logs.All())
		}
		logs.TakeAll()
		for _, body := range []string{
			`{"instances":[{"c":"secret","c":"secret"}]}`, `{"instances":[{"c":["secret","secret"]}]}`, `{"instances":[{"c":"secret"`,
			`{"instances":["secret"]}`, `{"instances":[["secret"]]}`, `{"inputs":{"c":["secret"],"d":["secret","secret"]}}`,
			`{"inputs":{"c":[["secret","secret","secret"]]}}`, `{"inputs":{"c":{"secret":"secret"}}}`, `secret`, `"secret"`, `{"instances":[{"c":"secret` + "\xff\"}]}",
		} {
			send(body, `{"predictions":[["secret","secret","secret"]]}`)
		}
		if logs.Len() == 0 {
			t.Fatal("nothing logged")
		}
		for _, entry := range logs.TakeAll() {
			if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "secret") {
				t.Fatal(text)
			}
		}
	}
	for name := range series(t, r) {
		if strings.Contains(name, "secret") {
			t.Error(name)
		}
	}
	tellsNoSecret(t, o.Live(time.Now().Add(-time.Hour), time.Now()))
}

func tellsNoSecret(t *testing.T, p *profile.Profile) {
	t.Helper()
	b, err := p.Encode()
	if err != nil || strings.Contains(string(b), "secret") || !strings.Contains(string(b), "sha256:") || !strings.Contains(string(b), `{"name":"x"`) {
		t.Errorf("%s %v", b, err)
	}
}

// Without a reference it is the flag that says which columns are redacted.
func TestNothingLearnedInPlain(t *testing.T) {
	o := observe.New(observe.Config{
		Protocol: protocol.Auto, SampleRatio: 1, Budget: 1 << 20, MaxBody: 1 << 20, LearnBudget: memory, Redact: []string{"c", "y"},
		Metrics: metrics.New(prometheus.NewRegistry(), protocol.V1), Log: zap.NewNop(),
	})
	for i := range 30 {
		sender(o)(fmt.Sprintf(`{"instances":[{"c":"secret","d":"x"},{"c":"secret","d":"secret-%d"}]}`, i), `{"predictions":[{"y":"secret"}]}`)
	}
	p := learned(o)
	tellsNoSecret(t, p)
	adopted, _, err := profile.Adopt(profile.AdoptOptions{}, p, p)
	if err != nil || !adopted.Features[0].Redacted {
		t.Errorf("%v", err)
	}
	tellsNoSecret(t, adopted)
}
