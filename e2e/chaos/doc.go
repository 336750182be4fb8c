// Package chaos holds the tests of what happens when the controllers die, are
// stopped and woken, or are cut off, at any moment.
//
// All that is Leeway's is real: two processes leeway-agent --role=controller
// with an election between them, one --role=node that scrapes and pushes to
// both, a leeway-sidecar in front of every model server. So are the API server,
// etcd, and Kubernetes' own controllers of Deployments and Jobs. What is played
// is the kubelet: it binds pods to a node that is not there, runs a sidecar and
// a model server on a loopback address of the pod's own, and does what the Job
// would. Between all of them stand gates that can stall, cut and delay.
//
// What is checked is read from the API server's audit log and its objects,
// never from what the agents say of themselves.
package chaos
