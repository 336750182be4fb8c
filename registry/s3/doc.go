// Package s3 keeps versions as objects in a bucket: a registry that many share
// without a server of its own.
//
//	PREFIX/<model>/versions/<n>.json            one version, ten digits; never changes
//	PREFIX/<model>/lifecycle/<n>-<change>.json  one change of a lifecycle; never changes
//	PREFIX/<model>/keys/<key>-<try>.json        the number proposed for a decision's content; never changes
//	PREFIX/.probe/<random>                      of those who ask whether the server can do this
//
// Nothing is ever changed, so one kind of write is enough: create, which fails
// when the name is taken ("If-None-Match: *"). A number, a change and a
// proposal are each given to one writer by the server itself; there is no lock
// that a dead writer could hold. An object appears whole or not at all. The
// lifecycle is what the last change says, and the changes are the audit trail:
// the two can't disagree.
//
// A version is deleted by a last change, to "deleted", which is a create like
// any other and so can't race with one that makes the version live. Then its
// object is emptied, but stays: the name, and so the number, is taken for ever.
// That is the only write over an object that is there.
//
// Registering for a decision proposes a number first and then takes it. Whoever
// registers the same content for the same decision finds the proposal and takes
// that number, which only one can. When the number turns out to be somebody
// else's, the next proposal is made under the next name.
//
// Every object has a random mark of its writer: when an answer was lost, the
// writer knows by it that what it finds is its own.
//
// A server that ignores the condition would give numbers twice. So before the
// first write several writers race for one name; unless exactly one wins, the
// store refuses to write.
package s3
