package protocol

import (
	"bytes"
	"fmt"
)

// Kind is a protocol.
type Kind string

// The protocols. Other is whatever passes without being read.
const (
	V1        Kind = "v1"
	V2        Kind = "v2"
	MLflow    Kind = "mlflow"
	TFServing Kind = "tfserving" // V1 by another name: only when asked for, as their paths are the same
	Seldon    Kind = "seldon"
	CSV       Kind = "csv"
	Other     Kind = "other"
	Auto      Kind = "auto" // in flags: any of them, by path and content type
)

// ParseKind reads the flag --protocol.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case Auto, V1, V2, MLflow, TFServing, Seldon, CSV:
		return k, nil
	}
	return "", fmt.Errorf("protocol %q: want %s, %s, %s, %s, %s, %s or %s",
		s, Auto, V1, V2, MLflow, TFServing, Seldon, CSV)
}

// Kinds lists what Recognise may find when it is restricted to want.
func Kinds(want Kind) []Kind {
	if want == Auto {
		return []Kind{V1, V2, MLflow, Seldon, CSV, Other}
	}
	return []Kind{want, Other}
}

// Recognise says which protocol a request speaks; want restricts it to one (Auto: any).
func Recognise(method, target, contentType []byte, want Kind) Kind {
	if string(method) != "POST" {
		return Other
	}
	k := byPath(pathOf(target), contentType)
	switch {
	case k == V1 && want == TFServing:
		return TFServing
	case k == CSV && want == MLflow:
		return MLflow
	case want != Auto && want != k:
		return Other
	}
	return k
}

func byPath(path, contentType []byte) Kind {
	switch {
	case bytes.HasPrefix(path, []byte("/v1/models/")) && bytes.HasSuffix(path, []byte(":predict")):
		return V1
	case bytes.HasPrefix(path, []byte("/v2/models/")) && bytes.HasSuffix(path, []byte("/infer")):
		return V2
	case string(path) == "/invocations" && mediaType(contentType, "text/csv"):
		return CSV
	case string(path) == "/invocations":
		return MLflow
	case bytes.HasSuffix(path, []byte("/api/v1.0/predictions")), bytes.HasSuffix(path, []byte("/api/v0.1/predictions")):
		return Seldon
	case (string(path) == grpcUnary || string(path) == grpcStream) && isGRPC(contentType):
		return V2
	}
	return Other
}

const (
	grpcUnary  = "/inference.GRPCInferenceService/ModelInfer"
	grpcStream = "/inference.GRPCInferenceService/ModelStreamInfer"
)

// isGRPC tells gRPC with protobuf from gRPC-Web and gRPC with JSON.
func isGRPC(contentType []byte) bool {
	return mediaType(contentType, "application/grpc") || mediaType(contentType, "application/grpc+proto")
}

// pathOf strips the query, and the scheme and host of an absolute target.
func pathOf(target []byte) []byte {
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		target = target[:i]
	}
	if i := bytes.Index(target, []byte("://")); i > 0 && target[0] != '/' {
		target = target[i+3:]
		if j := bytes.IndexByte(target, '/'); j >= 0 {
			return target[j:]
		}
		return nil
	}
	return target
}
