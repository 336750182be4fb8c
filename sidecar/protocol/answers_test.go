package protocol_test

import (
	"testing"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// Answers of a model with one prediction, y.
var answers = []example{
	{"v1 scalars", protocol.V1, `{"predictions":[1.5,2]}`, `y=1.5,2 unknown=0 rows=2`},
	{"v1 lists of one", protocol.V1, `{"predictions":[[1.5],[2]]}`, `y=1.5,2 unknown=0 rows=2`},
	{"v1 probabilities", protocol.V1, `{"predictions":[[0.25,0.75]]}`, ``},
	{"v1 labels", protocol.V1, `{"predictions":["cat","dog"]}`, `y="cat","dog" unknown=0 rows=2`},
	{"v1 outputs of other names", protocol.V1, `{"predictions":[{"score":1}]}`, ``},
	{"v1 outputs by name", protocol.V1, `{"predictions":[{"score":1,"y":[2]}]}`, `y=2 unknown=1 rows=1`},
	{"v1 instances", protocol.V1, `{"instances":[1]}`, ``},
	{"tfserving outputs", protocol.TFServing, `{"outputs":[[1.5],[2]]}`, `y=1.5,2 unknown=0 rows=2`},
	{"tfserving one output", protocol.TFServing, `{"outputs":{"dense":[[1.5],[2]]}}`, `y=1.5,2 unknown=0 rows=2`},
	{"tfserving outputs by name", protocol.TFServing, `{"outputs":{"y":[1,2],"q":[[1,2],[3,4]]}}`, `y=1,2 unknown=2 rows=2`},
	{"tfserving outputs of other names", protocol.TFServing, `{"outputs":{"p":[1],"q":[1]}}`, ``},
	{"tfserving one number", protocol.TFServing, `{"outputs":3}`, `y=3 unknown=0 rows=1`},
	{"tfserving error", protocol.TFServing, `{"error":"no"}`, ``},
	{"v2 single output of any name", protocol.V2, `{"model_name":"m","outputs":[{"name":"output-0","shape":[2],"datatype":"FP64","parameters":null,"data":[1,2]}]}`, `y=1,2 unknown=0 rows=2`},
	{"v2 outputs of other names", protocol.V2, `{"outputs":[{"name":"p","shape":[1],"datatype":"FP64","data":[0.5]},{"name":"q","shape":[1],"datatype":"FP64","data":[1]}]}`, ``},
	{"v2 error", protocol.V2, `{"error":"no"}`, ``},
	{"mlflow scalars", protocol.MLflow, `{"predictions":[1,null,NaN]}`, `y=1,-,- unknown=0 rows=3`},
	{"mlflow lists", protocol.MLflow, `{"predictions":[[1],[2]]}`, `y=1,2 unknown=0 rows=2`},
	{"mlflow records", protocol.MLflow, `{"predictions":[{"y":1,"p":0.5}]}`, `y=1 unknown=1 rows=1`},
	{"mlflow columns", protocol.MLflow, `{"predictions":{"y":[1,2],"p":[0.5,0.5]}}`, `y=1,2 unknown=2 rows=2`},
	{"mlflow error", protocol.MLflow, `{"error_code":"BAD_REQUEST"}`, ``},
	{"mlflow bare", protocol.MLflow, `[0.5,0.25]`, `y=0.5,0.25 unknown=0 rows=2`},
	{"seldon", protocol.Seldon, `{"data":{"names":["t:0"],"ndarray":[[0.5]]},"meta":{}}`, `y=0.5 unknown=0 rows=1`},
	{"seldon, two classes", protocol.Seldon, `{"data":{"names":["t:0","t:1"],"ndarray":[[0.5,0.5]]}}`, ``},
	{"seldon by name", protocol.Seldon, `{"data":{"names":["q","y"],"tensor":{"shape":[1,2],"values":[0.5,0.25]}}}`, `y=0.25 unknown=1 rows=1`},
	{"csv", protocol.CSV, "0.5\n0.25\n", `y=0.5,0.25 unknown=0 rows=2`},
	{"csv with header", protocol.CSV, "y\n0.25\n", `y=0.25 unknown=0 rows=1`},
	{"csv in one line", protocol.CSV, "0.5,0.25\n", ``},
}

func TestPredictions(t *testing.T) {
	var p protocol.Parser
	for _, c := range answers {
		s := newSheet("y")
		check(t, c.name, p.Predictions(c.message(), s), s, c.want)
	}
}

// A vector of as many values as there are predictions is bound in order, whatever its parts are called.
func TestSeveralPredictions(t *testing.T) {
	var p protocol.Parser
	order := `p0=0.25 p1=0.75 unknown=0 rows=1`
	for _, c := range []example{
		{"v1", protocol.V1, `{"predictions":[[0.25,0.75]]}`, order},
		{"v1 by name", protocol.V1, `{"predictions":[{"p1":0.75,"p0":0.25}]}`, order},
		{"v1, three", protocol.V1, `{"predictions":[[0.25,0.75,0]]}`, ``},
		{"v1, flat", protocol.V1, `{"predictions":[0.25,0.75]}`, ``},
		{"tfserving", protocol.TFServing, `{"outputs":{"probabilities":[[0.25,0.75]]}}`, order},
		{"v2", protocol.V2, `{"outputs":[{"name":"probs","shape":[1,2],"datatype":"FP32","data":[0.25,0.75]}]}`, order},
		{"v2 by name", protocol.V2, `{"outputs":[{"name":"p1","shape":[1],"datatype":"FP64","data":[0.75]},{"name":"p0","shape":[1,1],"datatype":"FP64","data":[0.25]}]}`, order},
		{"mlflow", protocol.MLflow, `{"predictions":[[0.25,0.75]]}`, order},
		{"seldon", protocol.Seldon, `{"data":{"names":["t:0","t:1"],"ndarray":[[0.25,0.75]]}}`, order},
		{"seldon by name", protocol.Seldon, `{"data":{"names":["p1","p0"],"ndarray":[[0.75,0.25]]}}`, order},
		{"csv", protocol.CSV, "0.25,0.75\n", order},
	} {
		s := newSheet("p0", "p1")
		check(t, c.name, p.Predictions(c.message(), s), s, c.want)
	}
}
