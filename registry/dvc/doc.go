// Package dvc reads what DVC (https://dvc.org) has locked in a repository: the
// hashes of data, the parameters and the metrics of a training run, the remote
// that the data is in, and the git commit. It needs neither the dvc program nor
// git, and changes nothing.
//
// A repository may be anybody's. Files are opened below its root only (symbolic
// links that leave it are refused, but for those into DVC's cache that have the
// locked hash as their name), sizes, depths and counts are bounded, YAML aliases
// are expanded within a budget, and errors name file, line and field.
//
// Where DVC's own tables have to be met byte for byte, values are compared,
// rounded and printed as Python does it: see Value and Diff.
package dvc
