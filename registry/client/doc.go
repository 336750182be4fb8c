// Package client reads and registers versions over the HTTP API that the
// controllers serve: a registry.Store for those who can reach a controller and
// not what keeps the versions.
//
// Answers are kept in bounded memory and asked for again by their ETag, so that
// listing what has not changed costs little; a profile, which never changes, is
// fetched once. What fails in passing is tried again, and a registration only
// where that can't make a second version. Lifecycles can't be changed, nor
// versions deleted: the API does not offer it.
package client
