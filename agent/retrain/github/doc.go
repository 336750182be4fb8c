// Package github trains by a workflow of GitHub Actions: it dispatches the
// workflow, finds its run and looks at it until it is completed.
//
// # Once, though a dispatch can't be named
//
// A Job has a name that follows from the decision, so creating it twice is
// creating it once. A workflow_dispatch has none, and is not idempotent: asked
// twice, GitHub starts two runs. What stands in for the name is a nonce. The
// workflow gets the decision's name as its input leeway_decision and puts it into
// its own title (run-name), where it can be looked for. Two answers are clear:
// "200 OK" names the run, "204 No Content" (servers that don't know
// return_run_details) says that it was accepted and will have that title; after
// either nothing is ever dispatched again. All else rests on this:
//
//  1. Before a dispatch a line is written into the journal (Order.Note), bound to
//     the version that was read: of two leaders one is refused. The dispatch must
//     be sent within sendWithin of that line, by the clock on the wall, or it is
//     not sent at all.
//  2. Who finds such a line and no word of what came of it (the leader was killed,
//     the answer was lost, or a 5xx) looks for the nonce among the runs created
//     since the decision. If it is there, that is the run.
//  3. If it is not there, and the line is older than settle, the dispatch that the
//     line announced did not arrive: if it was sent, that was settle - sendWithin
//     ago at least, and runs show up within seconds. Then, and only then, another
//     line is written and another dispatch sent; three in all. After that, and when
//     there are runs without a title of their own, which may be this one's, it is
//     only looked for, until the training's time is over.
//  4. An answer that surely means that nothing was started (a refusal, a rate limit,
//     no connection) is written down too (NotStarted), so nobody waits for it, and
//     the next try may follow a minute later.
//
// What can still start two runs: a run that shows up later than settle -
// sendWithin (105 s, less what the two leaders' clocks differ by), or a leader that
// is stopped for longer than that in the instant between looking at the clock and
// sending, and then woken. It costs a run, and nothing else: both register with
// the same decision, which for the same content gives one version, and for two
// contents holds the training (two_versions_registered). The concurrency group in
// examples/github has the second one wait for the first. If several runs have
// the nonce, the first (of the lowest number) counts.
//
// # What is waited for
//
// Rate limits, primary and secondary, are waited for as GitHub asks to (Retry-After,
// X-RateLimit-Reset, else a minute and doubling); they say nothing about a run. So
// do answers of 5xx, timeouts and a token that stopped working: the run goes on
// without them. How long there is to wait is kept in memory only; a new leader asks
// once and is told again. A run is looked at less and less often, from every 5
// seconds to once a minute.
//
// # The token
//
// It is read from the Secret at each use, past the cache, sent to one server only
// (a flag, never a field of an object, and no redirect is followed), by TLS unless
// that is this machine itself. It is cut out of what GitHub says, should GitHub ever
// repeat it.
package github
