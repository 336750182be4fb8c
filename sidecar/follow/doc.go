// Package follow reads along with a connection: it is shown the bytes that pass in each direction and says where
// messages of HTTP/1.1, and of HTTP/2 with prior knowledge, begin and end.
//
// It never holds a byte back, changes one or refuses one. Of HTTP/1.1 it reads heads, Content-Length and chunk framing,
// of HTTP/2 the heads of frames and header blocks (HPACK), and nothing else; whatever it cannot follow for certain
// makes the connection opaque, with a reason, and is left alone from then on. A wrong guess about framing would put
// numbers under the wrong request, so where servers are known to disagree (both Content-Length and Transfer-Encoding,
// two lengths, folded lines) it stops following.
//
// The package has no goroutines, no clock and no locks: who moves the bytes calls Request and Response, one at a time,
// and a goroutine relay and an event loop can use it alike. A request must be shown before its response is.
package follow
