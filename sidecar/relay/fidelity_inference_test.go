package relay_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
)

const (
	v2Body   = `{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[1,2,3]}]}`
	v2Answer = `{"model_name":"m","outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[7]}]}`
)

// inference is a request to a path with a body, and what else its head says.
func inference(path, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: m\r\n%sContent-Length: %d\r\n\r\n%s", path, headers, len(body), body)
}

func answered(headers, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(body), body)
}

// inChunks cuts body into chunks of n bytes.
func inChunks(body string, n int) string {
	var b strings.Builder
	for len(body) > 0 {
		c := body[:min(n, len(body))]
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(c), c)
		body = body[len(c):]
	}
	return b.String() + "0\r\n\r\n"
}

func gzipped(body string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(body))
	w.Close()
	return b.String()
}

// inferenceScripts are what the observer reads, and what it cannot.
func inferenceScripts() []script {
	const infer, packed = "/v2/models/m/infer", "Content-Encoding: gzip\r\n"
	v2 := inference(infer, "", v2Body)
	header := `{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","parameters":{"binary_data_size":12}}]}`
	binary := inference(infer, fmt.Sprintf("Inference-Header-Content-Length: %d\r\n", len(header)), header+"\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\xc0\x7f")
	return []script{
		turns("v2", v2, answered("", v2Answer), v2, answered("", v2Answer)),
		turns("v2 in chunks", post("Transfer-Encoding: chunked\r\n", inChunks(v2Body, 7)), chunkedAnswer+inChunks(v2Answer, 5)),
		turns("v2 packed", inference(infer, packed, gzipped(v2Body)), answered(packed, gzipped(v2Answer))),
		turns("v2 binary", binary, answered("", v2Answer)),
		turns("v2 pipelined", strings.Repeat(v2, 20), strings.Repeat(answered("", v2Answer), 20)),
		turns("v1", inference("/v1/models/m:predict", "", `{"instances":[[1,2,3],{"a":1}]}`), answered("", `{"predictions":[7,8]}`)),
		turns("csv", inference("/invocations", "Content-Type: text/csv\r\n", "a,b,c\n1,2,3\n4,,6\n"), answered("Content-Type: text/csv\r\n", "7\n8\n")),
		turns("seldon", inference("/api/v1.0/predictions", "", `{"data":{"ndarray":[[1,2,3]]}}`), answered("", `{"data":{"ndarray":[[7]]}}`)),
		turns("broken json", inference(infer, "", `{"inputs":[`), answered("", `{"outputs":`)),
		turns("body that says it is packed", inference(infer, packed, v2Body), answered(packed, "\x1f\x8b\x08\x00")),
		turns("body that unpacks to 8 MiB", inference(infer, packed, gzipped(strings.Repeat("0", 8<<20))), answered("", v2Answer)),
		turns("body over the limit", inference(infer, "", strings.Repeat(" ", 100<<10)+v2Body), answered("", v2Answer)),
		turns("deep json", inference(infer, "", strings.Repeat("[", 50_000)), answered("", strings.Repeat(`{"a":`, 10_000))),
		turns("more bodies than there is room for", strings.Repeat(inference(infer, "", v2Body+strings.Repeat(" ", 60<<10)), 40), strings.Repeat(answered("", v2Answer), 40)),
	}
}
