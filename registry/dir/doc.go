// Package dir keeps versions as files in a folder: the registry of one machine,
// or of several that share a file system with hard links and locks.
//
//	PATH/<model>/versions/<n>.json            one version; never changes
//	PATH/<model>/lifecycle/<n>-<change>.json  one change of a lifecycle; never changes
//	PATH/<model>/keys/<key>                   the number given for a decision's content
//	PATH/<model>/last                         the highest number ever given
//	PATH/<model>/lock, PATH/<model>/tmp/      of those who write
//
// A file appears whole or not at all: it is written and synced under tmp/ and
// then linked to its name, which fails when the name is taken. So a number and
// a change are each given to one writer by the file system itself. The lock
// makes registering the same content twice register once, and keeps the
// numbers of deleted versions from being given again; a writer that dies lets
// go of it. The lifecycle is what the last change says, and the changes are the
// audit trail: the two can't disagree.
package dir
