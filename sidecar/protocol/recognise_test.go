package protocol_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

const (
	unary  = "POST /inference.GRPCInferenceService/ModelInfer"
	stream = "POST /inference.GRPCInferenceService/ModelStreamInfer"
)

func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		line, contentType string
		want, kind        protocol.Kind
	}{
		{"POST /v1/models/m:predict", "", protocol.Auto, protocol.V1},
		{"POST /v1/models/m/versions/2:predict?x=/v2/models/m/infer", "", protocol.Auto, protocol.V1},
		{"POST /v1/models/m/labels/stable:predict", "", protocol.Auto, protocol.V1},
		{"POST /v1/models/m/labels/stable:predict", "", protocol.TFServing, protocol.TFServing},
		{"POST /v1/models/m:predict", "", protocol.V1, protocol.V1},
		{"POST /v1/models/m:predict", "", protocol.V2, protocol.Other},
		{"POST /v1/models/m:explain", "", protocol.Auto, protocol.Other},
		{"POST /v2/models/m/infer", "", protocol.Auto, protocol.V2},
		{"POST /v2/models/m/versions/v1/infer?a=b", "", protocol.Auto, protocol.V2},
		{"POST http://h:1/v2/models/m/infer", "", protocol.Auto, protocol.V2},
		{"POST /v2/models/m/infer", "", protocol.V1, protocol.Other},
		{"POST /v2/models/m/infer", "", protocol.TFServing, protocol.Other},
		{"GET /v2/models/m/infer", "", protocol.Auto, protocol.Other},
		{"POST /v2/models/m/generate", "", protocol.Auto, protocol.Other},
		{"POST http://h", "", protocol.Auto, protocol.Other},
		{unary, "application/grpc", protocol.Auto, protocol.V2},
		{unary, "application/grpc+proto", protocol.V2, protocol.V2},
		{stream, "application/grpc", protocol.Auto, protocol.V2},
		{unary, "application/grpc-web", protocol.Auto, protocol.Other},
		{unary, "application/grpc", protocol.V1, protocol.Other},
		{"POST /inference.GRPCInferenceService/ModelReady", "application/grpc", protocol.Auto, protocol.Other},
		{"POST /invocations", "application/json", protocol.Auto, protocol.MLflow},
		{"POST /invocations", "", protocol.Auto, protocol.MLflow},
		{"POST /invocations", "Text/CSV ; charset=utf-8", protocol.Auto, protocol.CSV},
		{"POST /invocations", "text/csv", protocol.MLflow, protocol.MLflow},
		{"POST /invocations", "text/csv", protocol.CSV, protocol.CSV},
		{"POST /invocations", "text/csv", protocol.Seldon, protocol.Other},
		{"POST /invocations", "application/json", protocol.CSV, protocol.Other},
		{"POST /invocations/x", "text/csv", protocol.Auto, protocol.Other},
		{"POST /api/v1.0/predictions", "", protocol.Auto, protocol.Seldon},
		{"POST /seldon/ns/m/api/v0.1/predictions?x", "", protocol.Seldon, protocol.Seldon},
		{"POST /api/v1.0/feedback", "", protocol.Auto, protocol.Other},
	} {
		method, target, _ := strings.Cut(c.line, " ")
		got := protocol.Recognise([]byte(method), []byte(target), []byte(c.contentType), c.want)
		if got != c.kind {
			t.Errorf("%s (%s, %s): %s, want %s", c.line, c.contentType, c.want, got, c.kind)
		}
		if !slices.Contains(protocol.Kinds(c.want), got) {
			t.Errorf("%s is found under %s, but its counters do not exist from the start", got, c.want)
		}
	}
	for _, k := range protocol.Kinds(protocol.Auto) {
		if _, err := protocol.ParseKind(string(k)); (err == nil) != (k != protocol.Other) {
			t.Errorf("flag %s: %v", k, err)
		}
	}
	if _, err := protocol.ParseKind("v3"); err == nil {
		t.Error("v3 is accepted, but nothing reads it")
	}
}

func TestForms(t *testing.T) {
	for _, c := range []struct {
		kind             protocol.Kind
		line, sent, back string // content types
		length           int64
		request, answer  protocol.Form
	}{
		{protocol.V1, "/v1/models/m:predict", "text/csv", "text/csv", 5, protocol.FormJSON, protocol.FormJSON},
		{protocol.V2, "/v2/models/m/infer", "application/octet-stream", "", -1, protocol.FormJSON, protocol.FormJSON},
		{protocol.V2, "/v2/models/m/infer", "", "", 17, protocol.FormBinary, protocol.FormBinary},
		{protocol.V2, "/v2/models/m/infer", "", "", 0, protocol.FormUnread, protocol.FormUnread},
		{protocol.V2, unary[len("POST "):], "application/grpc", "application/grpc", -1, protocol.FormGRPC, protocol.FormGRPC},
		{protocol.V2, stream[len("POST "):], "application/grpc", "application/grpc", -1, protocol.FormGRPCStream, protocol.FormGRPCStream},
		{protocol.MLflow, "/invocations", "application/json", "", -1, protocol.FormJSON, protocol.FormJSON},
		{protocol.MLflow, "/invocations", "text/csv", "application/json", -1, protocol.FormCSV, protocol.FormJSON},
		{protocol.MLflow, "/invocations", "application/vnd.apache.parquet", "", -1, protocol.FormUnread, protocol.FormJSON},
		{protocol.CSV, "/invocations", "text/csv", "text/html; charset=utf-8", -1, protocol.FormCSV, protocol.FormCSV},
		{protocol.CSV, "/invocations", "text/csv", "application/json; charset=utf-8", -1, protocol.FormCSV, protocol.FormJSON},
		{protocol.Seldon, "/api/v1.0/predictions", "", "text/csv", -1, protocol.FormJSON, protocol.FormJSON},
	} {
		request := protocol.RequestForm(c.kind, []byte(c.line), []byte(c.sent), c.length)
		answer := protocol.AnswerForm(c.kind, request, []byte(c.back), c.length)
		if request != c.request || answer != c.answer {
			t.Errorf("%s %s (%s, %s): %v, %v; want %v, %v", c.kind, c.line, c.sent, c.back, request, answer, c.request, c.answer)
		}
	}
}
