// Package servers holds end-to-end tests of the sidecar with real model servers
// and the clients that their users have: MLServer, MLflow, KServe, Triton's
// stream, and gRPC at large.
//
// Every case is run twice, by a client that talks to the server and by one that
// talks to a sidecar in front of it. What both are answered must be the same.
// Then the sidecar must have counted each row that was sent and each prediction
// that was given, in the bin that the test itself puts it into, and nothing else.
package servers
