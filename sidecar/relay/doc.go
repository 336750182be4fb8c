// Package relay moves bytes between a client and the model server: one client connection is one upstream connection,
// and nothing in between is re-made.
//
// There is no pool, no retry and no parsing on the way, so whatever the two speak passes as it is: half-closed
// connections stay half closed, a reset stays a reset. A follower beside each connection is shown the same bytes.
//
// There are two ways to move them, which behave alike and pass the same tests. On Linux one event loop serves all
// connections: it writes bytes on before it shows them to the follower, and does Config.Work (parsing) when there is
// nothing to move. Elsewhere, and where clients speak TLS, there are two goroutines for each connection; then a request
// is shown before it is written, because its answer could otherwise be seen first. In both, answers are shown before
// they are written where the follower adds to them (Editor).
package relay
