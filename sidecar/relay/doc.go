// Package relay moves bytes between a client and the model server: one client connection is one upstream connection, and nothing in between is re-made.
//
// There is no pool, no retry and no parsing on the way, so whatever the two speak passes as it is: half-closed connections stay half closed, a reset stays a reset.
// A follower beside each connection is shown the same bytes. A response is written to the client before it is shown; a request is shown before it is written, because
// with a goroutine per direction its answer could otherwise be seen first.
package relay
