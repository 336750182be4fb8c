// Package mlflow keeps versions in an MLflow model registry, over the tracking
// server's REST API 2.0: for those who have one already, and look there.
//
// # What is where
//
// A version is the MLflow version of the same number of the registered model of
// the same name. Tags hold what was registered (leeway.spec, JSON) and every
// change of the lifecycle (leeway.change.000001, …). Its run, in the experiment
// leeway/<model>, holds the metrics and, as the data set that it was trained on,
// the profile. The alias live is on the version that is live.
//
// Versions that others have registered with MLflow's own client are versions
// too, without a profile, once MLflow calls them READY. They are given numbers
// by MLflow, and what their registrars promise of them is theirs to keep.
//
// # What can be promised
//
// MLflow's tags and aliases are overwritten by whoever writes last: nothing can
// be built on them that is to happen once. Three things it does do once: a
// version's number is given to one caller, together with the tags that come with
// it; an experiment's name is taken once, together with its tags; and a param of
// a run can't be changed. So each model has a ledger: a run in the experiment
// leeway, named by a tag that the experiment leeway/<model> was created with.
// Its params are facts, first come, first served:
//
//	number.<n>                     who was given the number n
//	change.<n>.<created>.<change>  a change of version n's lifecycle, or its deletion
//
// Numbers: MLflow's SQL store does not give a deleted version's number again,
// but begins at 1 when the registered model was deleted. The ledger outlives
// that: a draft whose number is taken there is deleted, and the next one tried.
// So a number is given once unless the ledger itself is deleted.
//
// Whole or not at all: the run is written first, then the version is made with
// the tag leeway.state=draft, its number claimed, and the tag set to complete.
// Drafts are not listed. For a decision (registry.Key) the draft with the lowest
// number is the one that is completed, by whoever comes by: the others see it,
// since numbers rise. What a registrar that died has left goes a day later; a
// run without a version may stay.
//
// Compare-and-swap: a change is made by claiming its place in the ledger; one
// caller gets it. Whoever finds it taken carries it out as well before looking
// again: alias first, tag last, each the same whoever writes it. So a change
// whose author died is finished by the next one, and until then readers see the
// state before. That holds between callers of this package. The alias itself has
// no precondition: when it is moved in MLflow at the very moment in which a
// change moves it, the last one stands; and a process that stalls for long
// between its claim and its write of the alias may move it late. The tags then
// still say what was decided, and a version that was rejected or retired stays
// so whatever the alias says.
//
// What is live: the version with the alias live, if it is not rejected or
// retired. There is one at most. Stages, which MLflow has deprecated, are not
// looked at.
//
// What was registered is held against the SHA-256 in a param of the version's
// run: a version whose leeway.spec was edited is refused.
//
// Answers are untrusted: their sizes and counts are bounded, and what can't be
// read is an error that names the call and the field.
package mlflow
