package follow

import "strings"

// isGRPC tells a call of gRPC from gRPC-Web, which has its trailers in the body.
func isGRPC(contentType []byte) bool {
	rest, ok := strings.CutPrefix(string(contentType), "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// grpcStatus is the HTTP status that stands for a grpc-status, as gRPC's gateways map them. A call that ends without
// one failed in a way that only its HTTP status may tell: status, and UNKNOWN where that is 200.
func grpcStatus(code string, status int) int {
	if code == "" && status != 200 {
		return status
	}
	switch code {
	case "0": // OK
		return 200
	case "1": // CANCELLED
		return 499
	case "3", "9", "11": // INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE
		return 400
	case "4": // DEADLINE_EXCEEDED
		return 504
	case "5": // NOT_FOUND
		return 404
	case "6", "10": // ALREADY_EXISTS, ABORTED
		return 409
	case "7": // PERMISSION_DENIED
		return 403
	case "8": // RESOURCE_EXHAUSTED
		return 429
	case "12": // UNIMPLEMENTED
		return 501
	case "14": // UNAVAILABLE
		return 503
	case "16": // UNAUTHENTICATED
		return 401
	}
	return 500 // UNKNOWN, INTERNAL, DATA_LOSS, and what is no code
}
