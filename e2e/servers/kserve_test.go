package servers_test

import "testing"

// testKServe serves the model of numbers with KServe's own Python server. The
// clients are two programs: kserve and tritonclient each bring the same messages,
// and Python can't have both.
func testKServe(t *testing.T, s *setup) {
	http, grpc := freePort(t), freePort(t)
	s.serve(t, answers200("http://127.0.0.1:"+http+"/v2/health/ready"), kserve, "python", "testdata/kserve_server.py",
		"--model", s.path("numbers", "model.joblib"), "--http_port", http, "--grpc_port", grpc)
	for _, script := range []string{"kserve_client.py", "kserve_triton_client.py"} {
		s.try(t, kserve, script, map[string]endpoint{"rest": {http, "numbers"}, "grpc": {grpc, "numbers"}})
	}
}

// testTritonStream serves ModelStreamInfer, which of these servers only Triton's
// own has: a small one stands in for it, with the stubs of tritonclient.
func testTritonStream(t *testing.T, s *setup) {
	port := freePort(t)
	s.serve(t, accepts("127.0.0.1:"+port), mlserver, "python", "testdata/stream_server.py", s.path("numbers", "model.joblib"), port)
	s.try(t, mlserver, "stream_client.py", map[string]endpoint{"grpc": {port, "numbers"}})
}
