package servers_test

import "testing"

// testMLflow serves the model with text, which has a signature of named columns.
func testMLflow(t *testing.T, s *setup) {
	port, saved := freePort(t), t.TempDir()+"/model"
	s.run(t, mlserver, "python", "testdata/mlflow_model.py", s.path("mixed"), saved)
	s.serve(t, answers200("http://127.0.0.1:"+port+"/ping"), mlserver, "mlflow", "models", "serve",
		"--model-uri", saved, "--env-manager", "local", "--host", "127.0.0.1", "--port", port)
	s.try(t, mlserver, "mlflow_client.py", map[string]endpoint{"rest": {port, "mixed"}})
}
