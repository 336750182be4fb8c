package servers_test

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"
)

// testMLServer serves both models with MLServer's runtime for scikit-learn.
func testMLServer(t *testing.T, s *setup) {
	http, grpc, metrics := freePort(t), freePort(t), freePort(t)
	dir := t.TempDir()
	for _, model := range []string{"numbers", "mixed"} {
		if err := os.Mkdir(dir+"/"+model, 0o755); err != nil {
			t.Fatal(err)
		}
		writeJSON(t, dir+"/"+model+"/model-settings.json", map[string]any{
			"name": model, "implementation": "mlserver_sklearn.SKLearnModel",
			"parameters": map[string]any{"uri": s.path(model, "model.joblib"), "version": "v1"},
		})
	}
	settings := map[string]any{"host": "127.0.0.1", "parallel_workers": 0, "debug": false}
	for name, port := range map[string]string{"http_port": http, "grpc_port": grpc, "metrics_port": metrics} {
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		settings[name] = n
	}
	writeJSON(t, dir+"/settings.json", settings)
	s.serve(t, answers200("http://127.0.0.1:"+http+"/v2/health/ready"), mlserver, "mlserver", "start", dir)
	s.try(t, mlserver, "mlserver_client.py", map[string]endpoint{
		"rest": {http, "numbers"}, "grpc": {grpc, "numbers"},
		"mixed": {http, "mixed"}, "mixed_grpc": {grpc, "mixed"},
	})
}

func writeJSON(t *testing.T, path string, value any) {
	t.Helper()
	b, err := json.Marshal(value)
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
