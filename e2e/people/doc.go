// Package people holds the tests of what people and their tools do beside
// Leeway: approve, apply an old manifest again, deploy with Helm, let Git own the
// fields, take rights away, delete a guard, a namespace, or all of Leeway in the
// middle.
//
// The API server, etcd, its controllers of namespaces and garbage, RBAC, the
// admission policy and the fields' managers are real, and the manifests are those
// that are shipped; so are kubectl, and Helm 3 and 4 (module helm). There is no
// node and no traffic: the guard's own tests say what alerts there are, and play
// the kubelet (agent/guard, TestReal).
//
// Flux's kustomize-controller (module flux) runs where LEEWAY_TEST_LONG is set,
// for it takes minutes to build: it has the libraries of several clouds. What
// Flux's source-controller does the tests do, which serve the artifacts and write
// the GitRepository's status. Where the controller doesn't run it is played:
// kubectl applies as it does, by its name.
//
// Argo CD is always played so. Its controller needs Redis, and a repo server with
// git, helm and kustomize; it is no module that others can require, as it replaces
// its own gitops-engine by a folder beside it; and it asks for a newer Go than
// this project is built with, as Flux's versions from 1.10 do.
package people
