package protocol_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// What real servers were sent and answered: MLServer, KServe's Python server, MLflow's scoring server. The features are
// those of their own test model.
const (
	twoRows = `distance=1400,229 temp=39,72.5 carrier_code=2,4 unknown=0 rows=2`
	oneRow  = `distance=1400 temp=39 carrier_code=2 unknown=0 rows=1`
	noTemp  = `distance=1400 temp=- carrier_code=2 unknown=0 rows=1`
	noFirst = `distance=- temp=39 carrier_code=2 unknown=0 rows=1`
	both    = `y=184.10000000000005,40.229999999999976 unknown=0 rows=2`
	one     = `y=184.10000000000005 unknown=0 rows=1`
)

// Request and response: "" unparsable, "!" unsupported, "-" not read.
var transcripts = map[string][2]string{
	"kserve/01-v1-predict":                  {twoRows, both},
	"kserve/01b-v1-predict-404":             {twoRows, "-"},
	"kserve/01c-v1-predict-bad":             {"", "-"},
	"kserve/01d-v1-predict-badjson":         {"", "-"},
	"kserve/02-v2-infer-flat":               {twoRows, both},
	"kserve/03-v2-infer-nested":             {twoRows, both},
	"kserve/03b-v2-infer-no-id":             {twoRows, both},
	"kserve/03c-v2-infer-params":            {twoRows, "-"},
	"kserve/04-v2-infer-columns-pd":         {twoRows, "-"},
	"kserve/05-v2-infer-versioned":          {twoRows, "-"},
	"kserve/06-v2-404-model":                {twoRows, "-"},
	"kserve/07-v2-bad-json":                 {"", "-"},
	"kserve/08-v2-no-inputs":                {"", "-"},
	"kserve/09-v2-shape-mismatch":           {"", "-"},
	"kserve/10-v2-bad-dtype":                {"", "-"},
	"kserve/11-v2-wrong-feature-count":      {"", "-"},
	"kserve/12-v2-nan-literal":              {noFirst, "-"},
	"kserve/13-v2-null":                     {noFirst, "-"},
	"kserve/14-v2-binary":                   {twoRows, both},
	"kserve/15-v2-binary-all-out":           {twoRows, both},
	"kserve/16-v2-binary-in-json-out":       {twoRows, both},
	"kserve/17-v2-binary-bad-header-length": {"", "-"},
	"kserve/18-v2-gzip-request":             {twoRows, "-"},
	"kserve/19-v2-accept-gzip":              {twoRows, both},

	"mlserver/01-v1-predict":                  {twoRows, "-"},
	"mlserver/01b-v1-predict-404":             {twoRows, "-"},
	"mlserver/01c-v1-predict-bad":             {"", "-"},
	"mlserver/01d-v1-predict-badjson":         {"", "-"},
	"mlserver/02-v2-infer-flat":               {twoRows, both},
	"mlserver/03-v2-infer-nested":             {twoRows, both},
	"mlserver/03b-v2-infer-no-id":             {twoRows, both},
	"mlserver/03c-v2-infer-params":            {twoRows, both},
	"mlserver/04-v2-infer-columns-pd":         {twoRows, both},
	"mlserver/05-v2-infer-versioned":          {twoRows, both},
	"mlserver/06-v2-404-model":                {twoRows, "-"},
	"mlserver/07-v2-bad-json":                 {"", "-"},
	"mlserver/08-v2-no-inputs":                {"", "-"},
	"mlserver/09-v2-shape-mismatch":           {"", "-"},
	"mlserver/10-v2-bad-dtype":                {"", "-"},
	"mlserver/11-v2-wrong-feature-count":      {"", "-"},
	"mlserver/12-v2-nan-literal":              {noFirst, "-"},
	"mlserver/13-v2-null":                     {noFirst, "-"},
	"mlserver/14-v2-binary":                   {twoRows, "-"},
	"mlserver/15-v2-binary-all-out":           {twoRows, "-"},
	"mlserver/16-v2-binary-in-json-out":       {twoRows, "-"},
	"mlserver/17-v2-binary-bad-header-length": {"", "-"},
	"mlserver/18-v2-gzip-request":             {twoRows, both},
	"mlserver/19-v2-accept-gzip":              {twoRows, both},

	"mlflow-serve/01-dataframe_split":                  {twoRows, both},
	"mlflow-serve/02-dataframe_records":                {twoRows, both},
	"mlflow-serve/03-inputs-columns":                   {twoRows, both},
	"mlflow-serve/04-inputs-nested-list":               {twoRows, "-"},
	"mlflow-serve/05-instances":                        {twoRows, both},
	"mlflow-serve/05b-instances-list":                  {twoRows, "-"},
	"mlflow-serve/06-csv":                              {`distance="1400.0","229.0" temp="39.0",72.5 carrier_code=2,4 unknown=0 rows=2`, both},
	"mlflow-serve/06b-csv-charset":                     {`distance="1400.0" temp="39.0" carrier_code=2 unknown=0 rows=1`, one},
	"mlflow-serve/06c-csv-missing-cell":                {`distance="1400.0" temp=- carrier_code=2 unknown=0 rows=1`, "-"},
	"mlflow-serve/07-params":                           {twoRows, both},
	"mlflow-serve/08-null-cell":                        {noTemp, "-"},
	"mlflow-serve/09-json-charset":                     {oneRow, one},
	"mlflow-serve/10-pandas-split-legacy-content-type": {"", "-"},
	"mlflow-serve/11-error-no-known-key":               {"", "-"},
	"mlflow-serve/12-error-two-keys":                   {"", "-"},
	"mlflow-serve/13-error-bad-json":                   {"", "-"},
	"mlflow-serve/14-error-missing-column":             {`distance=1 temp=2 carrier_code=- unknown=0 rows=1`, "-"},
	"mlflow-serve/15-error-extra-column":               {strings.Replace(twoRows, "unknown=0", "unknown=2", 1), both},
	"mlflow-serve/16-error-string-in-double":           {`distance="a" temp=39 carrier_code=2 unknown=0 rows=1`, "-"},
	"mlflow-serve/17-error-content-type":               {"", "-"},
	"mlflow-serve/18-error-no-content-type":            {twoRows, "-"},
	"mlflow-serve/19-error-404":                        {"-", "-"},
	"mlflow-serve/20-error-get":                        {"-", "-"},
	"mlflow-serve/21-error-empty-body":                 {"", "-"},
	"mlflow-serve/22-float-in-long":                    {strings.Replace(oneRow, "code=2", "code=2.5", 1), one},
	"mlflow-serve/23-int-in-double":                    {oneRow, one},
	"mlflow-serve/24-instances-object":                 {"", "-"},
	"mlflow-serve/30-tensor-inputs-list":               {twoRows, both},
	"mlflow-serve/31-tensor-instances-list":            {twoRows, both},
	"mlflow-serve/32-tensor-dataframe_split":           {`distance=-,- temp=-,- carrier_code=-,- unknown=6 rows=2`, both},
	"mlflow-serve/33-tensor-inputs-wrong-shape":        {"", "-"},
	"mlflow-serve/34-tensor-inputs-nan":                {`distance=- temp=1 carrier_code=2 unknown=0 rows=1`, "-"},
	"mlflow-serve/35-tensor-csv":                       {"", "-"},
}

func TestTranscripts(t *testing.T) {
	files, _ := filepath.Glob("testdata/*/*.req")
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".req")
		want, ok := transcripts[name]
		if !ok {
			t.Errorf("%s: nothing is said about it", name)
			continue
		}
		var p protocol.Parser
		req := readRequest(t, name)
		m := request(t, req)
		if (m.Kind == protocol.Other) != (want[0] == "-") {
			t.Errorf("%s: %s", name, m.Kind)
		}
		if m.Kind == protocol.Other {
			continue
		}
		s := newSheet("distance", "temp", "carrier_code")
		check(t, name, p.Features(m, s), s, want[0])
		resp := readResponse(t, name, req)
		if (resp == nil || resp.StatusCode != 200) != (want[1] == "-") {
			t.Errorf("%s: no response that is read", name)
		}
		if want[1] != "-" {
			s = newSheet("y")
			check(t, name+" response", p.Predictions(response(t, m, resp), s), s, want[1])
		}
	}
	if len(files) != len(transcripts) {
		t.Errorf("%d transcripts, %d expected", len(files), len(transcripts))
	}
}

func TestGRPCTranscripts(t *testing.T) {
	for name, want := range map[string]string{
		"kserve/grpc/01-contents.ModelInfer.request":    twoRows,
		"kserve/grpc/01-contents.ModelInfer.response":   both,
		"kserve/grpc/02-raw.ModelInfer.request":         twoRows,
		"kserve/grpc/02-raw.ModelInfer.response":        both,
		"kserve/grpc/03-nosuch.ModelInfer.request":      twoRows,
		"kserve/grpc/04-bad-shape.ModelInfer.request":   "",
		"mlserver/grpc/01-contents.ModelInfer.request":  twoRows,
		"mlserver/grpc/01-contents.ModelInfer.response": both,
		"mlserver/grpc/02-raw.ModelInfer.request":       twoRows,
		"mlserver/grpc/02-raw.ModelInfer.response":      both,
		"mlserver/grpc/03-nosuch.ModelInfer.request":    twoRows,
		"mlserver/grpc/04-bad-shape.ModelInfer.request": "",
	} {
		b, err := os.ReadFile(filepath.Join("testdata", name+".bin"))
		if err != nil {
			t.Fatal(err)
		}
		var p protocol.Parser
		m := protocol.Message{Kind: protocol.V2, Form: protocol.FormGRPC, Body: b}
		if strings.HasSuffix(name, "response") {
			s := newSheet("y")
			check(t, name, p.Predictions(m, s), s, want)
			s = newSheet("y")
			m = protocol.Message{Kind: protocol.V2, Form: protocol.FormGRPCStream, Body: append([]byte{2<<3 | 2, byte(len(b))}, b...)}
			check(t, name+", in a stream", p.Predictions(m, s), s, want)
			continue
		}
		for _, m.Form = range []protocol.Form{protocol.FormGRPC, protocol.FormGRPCStream} {
			s := newSheet("distance", "temp", "carrier_code")
			check(t, name, p.Features(m, s), s, want)
		}
	}
}

func readRequest(t testing.TB, name string) *http.Request {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".req"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// request is what the sidecar would see of a request.
func request(t testing.TB, req *http.Request) protocol.Message {
	contentType, target := []byte(req.Header.Get("Content-Type")), []byte(req.RequestURI)
	m := protocol.Message{HeaderLength: headerLength(req.Header), Body: body(t, req.Header, req.Body)}
	m.Kind = protocol.Recognise([]byte(req.Method), target, contentType, protocol.Auto)
	m.Form = protocol.RequestForm(m.Kind, target, contentType, m.HeaderLength)
	return m
}

// response is the same of the answer to m.
func response(t testing.TB, m protocol.Message, resp *http.Response) protocol.Message {
	m.HeaderLength, m.Body = headerLength(resp.Header), body(t, resp.Header, resp.Body)
	m.Form = protocol.AnswerForm(m.Kind, m.Form, []byte(resp.Header.Get("Content-Type")), m.HeaderLength)
	return m
}

func headerLength(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Inference-Header-Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func body(t testing.TB, h http.Header, r io.Reader) []byte {
	t.Helper()
	if h.Get("Content-Encoding") == "gzip" {
		var err error
		if r, err = gzip.NewReader(r); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readResponse is nil where none is kept.
func readResponse(t testing.TB, name string, req *http.Request) *http.Response {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".resp"))
	if err != nil {
		return nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
