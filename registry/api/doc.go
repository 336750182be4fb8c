// Package api serves a registry over HTTP: every read, the match, and
// registering. It knows registries only by registry.Store, and who may do what
// only by a function, so that the controller mounts it with Kubernetes' rights,
// and a test with none.
//
// What clients program against is openapi.yaml, which is served beside the
// routes; a test holds it against them. Lifecycles are changed, and versions
// deleted, in the store itself: those need rights of their own there.
package api
