// Package guard is the leader's loop on the Kubernetes side: each round it
// visits every ModelGuard, observes its workload, has the evidence judged by
// package decide, and carries out what was decided.
//
// A visit is one pass from top to bottom, and every pass starts from what is
// stored: the guard's status (what was seen of the workload) and the
// ModelDecisions (what was decided, and how far it got). Nothing that matters
// is kept in memory, so a leader that dies anywhere is resumed by the next from
// the same place. Three rules keep that so:
//
//   - journal first: a decision is created before anything is done, and each
//     step is written before it is taken and after;
//   - each write carries the resource version that was read, so of two leaders
//     one is refused and looks again;
//   - no visit waits: what takes time (a rollout, a training, an approval) is
//     looked at again in the next round.
//
// What the loop may do comes from the guard and from the namespace: without the
// right to patch workloads there, every guard behaves as Observe.
package guard
