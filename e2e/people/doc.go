// Package people holds the tests of what people and their tools do beside
// Leeway: approve, apply an old manifest again, let Git own the fields, take
// rights away, delete a guard, a namespace, or all of Leeway in the middle.
//
// The API server, etcd, its controllers of namespaces and garbage, RBAC, the
// admission policy and the fields' managers are real, and the manifests are those
// that are shipped. There is no node and no traffic: the guard's own tests say
// what alerts there are, and play the kubelet (agent/guard, TestReal).
package people
