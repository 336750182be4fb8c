// Package retrain starts trainings and watches them: what the two ways to train
// have in common, and the one that is a Job. The other, a workflow of GitHub
// Actions, is in package github below.
//
// A way to train has two methods. Start starts what an order asks for and says
// what to call it. It may be called again for the same order, by a leader that
// was killed or by its successor, and then finds what was started. Look says
// where that stands. Neither waits.
//
// The Job is what "kubectl create job --from=cronjob/NAME" would make of a
// suspended CronJob: the CronJob is the template that its owner tested and can
// run by hand. Its name follows from the decision alone, so however often a
// leader is killed and resumed, the same decision starts the same Job once.
//
// An evaluation is started and looked at like a training by a Job. What it found is
// in the last words of its pod (LastWords, package evaluation below).
//
// The live profile goes into the Job as a file, by an annotation of the pod
// template and a downward API volume. A ConfigMap would need the right to
// create ConfigMaps in the namespace, which is the right to feed any pod in it;
// the annotation needs no right beyond creating the Job.
package retrain
