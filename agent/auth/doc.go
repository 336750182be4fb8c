// Package auth lets the holders of Kubernetes tokens in, and nobody else.
//
// A request carries a bearer token; the API server says whose it is (TokenReview,
// with Leeway's own audience, so a token stolen from elsewhere is worth nothing
// here and a token sent here is worth nothing elsewhere). What its owner may do:
//
//	query API                     get modelguards.leeway.dev in all namespaces: a query sees all of them
//	registry                      get, list or create modelversions.leeway.dev in the namespace asked for
//	feedback                      create modelguards/feedback in the namespace of each row
//	remote write                  only Leeway's own agents, and see AdmitSeries
//
// The controllers may read the registry without a role, and node agents what the
// model pods on their node need: their ServiceAccounts stay without any right on
// Leeway's kinds. Which pods there are Pods knows, from the API server and not from
// the agents, so that a token that was stolen speaks for one node. Answers are
// cached for a short while; while the API server is away, an identity that it
// confirmed before is believed for longer, because samples that are refused are
// worse than a token that was revoked minutes ago.
package auth
