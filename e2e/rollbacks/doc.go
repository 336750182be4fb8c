// Package rollbacks holds the tests of rollbacks that go wrong: no room, no image,
// a pod that is stuck, a version that crashes, a person or an autoscaler in the
// middle. Each has to end in the state that is named for it, with the model served
// as well as it can be.
//
// They need a real kubelet, scheduler and controllers, for what goes wrong is
// theirs. One cluster and one Leeway serve all of them, each in a namespace of its
// own and at the same time. What can be shown without is shown in package guard.
package rollbacks
