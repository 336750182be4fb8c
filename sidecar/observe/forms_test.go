package observe_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/sidecar/metrics"
)

// post is a request whose body is sent as it is.
func post(target, head, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", target, head, len(body), body)
}

func packed(t *testing.T, body string, open func(io.Writer) io.WriteCloser) string {
	t.Helper()
	var b bytes.Buffer
	w := open(&b)
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// values is how many values of features and predictions were counted.
func values(t *testing.T, r *prometheus.Registry) (features, predictions float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			switch f.GetName() {
			case "leeway_feature_observations_total":
				features += m.Counter.GetValue()
			case "leeway_prediction_observations_total":
				predictions += m.Counter.GetValue()
			}
		}
	}
	return features, predictions
}

func TestForms(t *testing.T) {
	gz := func(body string) string {
		return packed(t, body, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	}
	zl := func(body string) string {
		return packed(t, body, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	}
	zs := func(body string) string {
		return packed(t, body, func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z })
	}
	const tensor = `{"inputs":[{"name":"a","shape":[2],"datatype":"INT8","parameters":{"binary_data_size":2}}]}`
	const v1, predict = `{"instances":[[2]]}`, "/v1/models/m:predict"
	bomb := `{"instances":[` + strings.Repeat("[2],", 1<<20) + `[2]]}`
	ok := func(head, body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	for _, c := range []struct {
		name, request, response string
		result                  metrics.Result
		features, predictions   float64
	}{
		{"plain", post(predict, "", v1), reply, metrics.Observed, 1, 1},
		{"identity", post(predict, "Content-Encoding: identity\r\n", v1), reply, metrics.Observed, 1, 1},
		{"gzip", post(predict, "Content-Encoding: GZip\r\n", gz(v1)), ok("content-encoding: gzip\r\n", gz(`{"predictions":[1]}`)), metrics.Observed, 1, 1},
		{"deflate", post(predict, "Content-Encoding: deflate\r\n", zl(v1)), reply, metrics.Observed, 1, 1},
		{"zstd", post(predict, "Content-Encoding: zstd\r\n", zs(v1)), reply, metrics.Observed, 1, 1},
		{"brotli", post(predict, "Content-Encoding: br\r\n", v1), reply, metrics.Encoded, 0, 1},
		{"gzip twice", post(predict, "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", gz(gz(v1))), reply, metrics.Encoded, 0, 1},
		{"broken gzip", post(predict, "Content-Encoding: gzip\r\n", v1), reply, metrics.Unparsable, 0, 1},
		{"gzip bomb", post(predict, "Content-Encoding: gzip\r\n", gz(bomb)), reply, metrics.TooLarge, 0, 1},
		{"zstd bomb", post(predict, "Content-Encoding: zstd\r\n", zs(bomb)), reply, metrics.TooLarge, 0, 1},
		{"gzip bomb as answer", post(predict, "", v1), ok("Content-Encoding: gzip\r\n", gz(bomb)), metrics.TooLarge, 1, 0},
		{"binary", post("/v2/models/m/infer", fmt.Sprintf("Inference-Header-Content-Length: %d\r\n", len(tensor)), tensor+"\x01\x02"), ok("", `{"outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[1]}]}`), metrics.Observed, 2, 1},
		{"one raw tensor", post("/v2/models/m/infer", "Inference-Header-Content-Length: 0\r\n", "\x01\x02"), ok("", `{}`), metrics.Unsupported, 0, 0},
		{"no length", post("/v2/models/m/infer", "Inference-Header-Content-Length: x\r\n", tensor), ok("", `{}`), metrics.Unparsable, 0, 0},
		{"mlflow", post("/invocations", "Content-Type: application/json\r\n", `{"dataframe_split":{"columns":["a"],"data":[[1],[2]]}}`), ok("", `{"predictions":[1,2]}`), metrics.Observed, 2, 2},
		{"mlflow as csv", post("/invocations", "Content-Type: text/csv\r\n", "a\n1\n2\n3\n"), ok("Content-Type: application/json\r\n", `{"predictions":[1,2,3]}`), metrics.Observed, 3, 3},
		{"csv", post("/invocations", "Content-Type: text/csv; charset=utf-8\r\n", "1\n2\n"), ok("Content-Type: text/csv\r\n", "1\n3\n"), metrics.Observed, 2, 2},
		{"parquet", post("/invocations", "Content-Type: application/vnd.apache.parquet\r\n", "PAR1"), ok("", `{"predictions":[1]}`), metrics.Unsupported, 0, 1},
		{"seldon", post("/api/v1.0/predictions", "", `{"data":{"ndarray":[[1]]}}`), ok("", `{"data":{"names":["t:0"],"ndarray":[[2]]}}`), metrics.Observed, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, r := setUp(t, 8<<20)
			if _, err := o.SetReference(reference(t), "sha256:1"); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				pass(o, c.request, c.response)
				drain(o)
			}
			features, predictions := values(t, r)
			if got := captures(t, r, c.result); got != 3 || features != 3*c.features || predictions != 3*c.predictions {
				t.Errorf("%v times %s, %v features, %v predictions; want 3, %v, %v",
					got, c.result, features, predictions, 3*c.features, 3*c.predictions)
			}
		})
	}
}

// What tritonclient sent over one connection, and what the servers answered: binary tensors, JSON, and binary tensors
// under gzip. Requests that are refused are rows all the same; only their answers do not count.
func TestTritonClient(t *testing.T) {
	p, _, err := dataset.FromCSV("train.csv", strings.NewReader("distance,temp,carrier_code,y\n1400,39,2,184\n229,72.5,4,40\n"), dataset.Options{Predictions: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][3]float64{ // observed, and values of features and predictions
		"kserve":   {4, 24, 4}, // two were answered
		"mlserver": {4, 24, 2}, // only JSON was
	} {
		o, r := setUp(t, 8<<20)
		if _, err := o.SetReference(p, "sha256:1"); err != nil {
			t.Fatal(err)
		}
		sent, err := os.ReadFile("testdata/tritonclient-" + name + ".c2s")
		if err != nil {
			t.Fatal(err)
		}
		answered, err := os.ReadFile("testdata/tritonclient-" + name + ".s2c")
		if err != nil {
			t.Fatal(err)
		}
		pass(o, string(sent), string(answered))
		drain(o)
		features, predictions := values(t, r)
		if got := [3]float64{captures(t, r, metrics.Observed), features, predictions}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
