// Package sidecar stands in front of a model server in its pod: it forwards every connection untouched, and says on its admin port how long requests took, what values went in
// and came out, and how those compare with the data that the version was trained on.
//
// It holds no token, calls nobody but the model server, and knows nothing of Kubernetes. Its parts: relay moves the bytes, follow finds the messages in them, observe copies
// and counts bodies with protocol off the request path, and this package puts them together behind two listeners.
package sidecar
