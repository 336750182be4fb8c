// Package forward takes samples and brings them to every controller replica by
// Prometheus remote write 2.0.
//
// Samples are encoded once, into requests of a bounded size, and put into the
// buffer on disk; one sender per replica reads that buffer at its own pace. A
// replica that is down costs nothing but disk: its sender tries again with a
// growing pause, one request at a time, so its return is no storm. Roles that
// only push (the node agents, and a controller towards its peer) use the same
// code.
package forward
