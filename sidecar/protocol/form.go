package protocol

import (
	"bytes"
	"strings"
)

// Form is how a body is written.
type Form uint8

// The forms.
const (
	FormJSON       Form = iota
	FormCSV             // rows of text
	FormBinary          // JSON, then raw tensors: V2's binary extension
	FormGRPC            // one message of ModelInfer
	FormGRPCStream      // one message of Triton's ModelStreamInfer, whose answers are wrapped
	FormUnread          // a form that is not read
)

// RequestForm says how the body of a request is written, by its target, content type and
// Inference-Header-Content-Length (−1 without).
func RequestForm(k Kind, target, contentType []byte, headerLength int64) Form {
	if k == V2 {
		switch string(pathOf(target)) {
		case grpcUnary:
			return FormGRPC
		case grpcStream:
			return FormGRPCStream
		}
	}
	return formOf(k, contentType, headerLength)
}

// AnswerForm says the same of the answer to a request of that form.
func AnswerForm(k Kind, request Form, contentType []byte, headerLength int64) Form {
	if request == FormGRPC || request == FormGRPCStream {
		return request
	}
	return formOf(k, contentType, headerLength)
}

func formOf(k Kind, contentType []byte, headerLength int64) Form {
	switch {
	case k == V2 && headerLength > 0:
		return FormBinary
	case k == V2 && headerLength == 0: // one raw tensor, whose type only the server knows
		return FormUnread
	case k != MLflow && k != CSV:
		return FormJSON
	case mediaType(contentType, "text/csv"):
		return FormCSV
	case mediaType(contentType, "application/vnd.apache.parquet"):
		return FormUnread
	case k == CSV && !bytes.Contains(contentType, []byte("json")):
		return FormCSV // servers answer with text/plain, text/html or nothing
	}
	return FormJSON
}

// mediaType reports whether a content type, parameters aside, is want: lower-case ASCII.
func mediaType(contentType []byte, want string) bool {
	if i := bytes.IndexByte(contentType, ';'); i >= 0 {
		contentType = contentType[:i]
	}
	contentType = bytes.TrimSpace(contentType)
	return len(contentType) == len(want) && strings.EqualFold(string(contentType), want)
}
