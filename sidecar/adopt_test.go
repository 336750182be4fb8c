package sidecar_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar"
)

// From no reference to counts: what one sidecar learns is adopted, and is a reference for the next.
func TestAdoptRoundTrip(t *testing.T) {
	send := func(r *running, rows int) {
		for i := range rows / 10 {
			var b strings.Builder
			for j := range 10 {
				k := 10*i + j
				fmt.Fprintf(&b, `,{"a":%d,"b":%g,"c":%q}`, k%100, float64(k)/7, []string{"x", "y", "z"}[k%3])
			}
			r.do("POST", r.traffic+"/v1/models/m:predict", `{"instances":[`+b.String()[1:]+`]}`)
		}
	}
	r := start(t, sidecar.Config{Upstream: model(t).URL, SampleRatio: 1, LearnBudget: 1 << 20})
	status, body := r.do("GET", r.admin+"/profile?learned=true", "")
	if status != 404 || !strings.Contains(body, "nothing learned") {
		t.Errorf("before any request: %d %s", status, body)
	}
	send(r, 1000)
	r.eventually(map[string]float64{
		`leeway_captures_total{result="learned"`: 100, `leeway_model_info{reference="none"`: 1,
	})
	if status, body = r.do("GET", r.admin+"/profile?window=24h", ""); status != 404 || !strings.Contains(body, "no ref") {
		t.Errorf("without asking for it: %d %s", status, body)
	}
	_, body = r.do("GET", r.admin+"/profile?window=24h&learned=true", "")
	live, err := profile.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	adopted, leftOut, err := profile.Adopt(profile.AdoptOptions{}, live)
	if err != nil || len(leftOut) > 0 || adopted.Rows != 1000 {
		t.Fatal(err, leftOut)
	}
	encoded, err := adopted.Encode()
	if err != nil {
		t.Fatal(err)
	}
	// The same pod could take it, and so can one of the next version.
	if status, body := r.do("PUT", r.admin+"/reference", string(encoded)); status != 200 {
		t.Fatalf("PUT /reference: %d %s", status, body)
	}
	next := start(t, sidecar.Config{Upstream: model(t).URL, SampleRatio: 1, Profile: encoded})
	for _, r := range []*running{r, next} {
		send(r, 500)
		r.eventually(map[string]float64{`leeway_captures_total{result="observed"`: 50})
		m := r.metrics()
		for _, name := range []string{"a", "b", "c"} {
			var total, outside float64
			for k, v := range m {
				if !strings.HasPrefix(k, "leeway_feature_observations_total{") || !strings.Contains(k, `feature="`+name+`"`) {
					continue
				}
				total += v
				for _, bin := range []string{"under", "over", "far_under", "far_over", "unseen", "missing"} {
					if strings.Contains(k, `bin="`+bin+`"`) {
						outside += v
					}
				}
			}
			if total != 500 || outside != 0 {
				t.Errorf("%s: %v rows, %v of them outside of what was learned", name, total, outside)
			}
		}
		if v, _ := sum(m, "leeway_prediction_observations_total{"); v != 500 {
			t.Errorf("%v predictions", v)
		}
	}
}
