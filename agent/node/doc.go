// Package node is the node role: it finds the model pods of its node, scrapes
// their sidecars, keeps two hours of samples, and pushes them to every
// controller replica.
//
// The pipeline is pods → targets → scrape manager → forward → controllers, with
// the push of reference profiles beside it. It only pushes: nothing connects to
// a node agent but probes. What a pod may say about itself is limited: the
// labels namespace, pod, node and workload come from the API and replace its
// own, and the size of what it exports is bounded.
package node
