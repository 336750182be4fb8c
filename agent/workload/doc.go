// Package workload reads and changes what a ModelGuard guards: a Deployment or
// StatefulSet whose pod template names a version of a model.
//
// It knows five fields of a pod template and no others: the artifact (an
// environment variable or an image), the label with the version, and the
// stamps of the profile and the artifact. Everything else of the object belongs
// to whoever wrote it. A change is a server-side apply of those fields alone,
// because only apply leaves the rest untouched and says who owns what; an undo
// of the whole template would revert sidecars, resources and replicas too.
package workload
