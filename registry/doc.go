// Package registry remembers date : metadata : model, and answers which
// registered version would be at home in today's data.
//
// A Version is what is known of one version of a model: its artifact, the data
// that it was trained on with its profile, its metrics, where it comes from,
// and what became of it. A Store keeps versions; the packages dir and kube are
// two, and registrytest says what both promise. Match ranks versions by how
// near their training data is to a live profile; it is a pure function, so that
// the same question has the same answer in the agent, in the CLI and a year
// later.
//
// Inputs can't show a change of what the right answer is. A match is a
// hypothesis: whoever acts on it verifies it, and undoes it when it was wrong.
package registry
