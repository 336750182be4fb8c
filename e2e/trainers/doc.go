// Package trainers runs the two trainings of the folder examples, by dvc and by
// mlflow, as Leeway starts them.
//
// Real are the programs dvc, mlflow, git and leeway, an S3 server, an MLflow
// server, the API server with its RBAC and admission, and Kubernetes' controller
// of Jobs. The guard's own code finds that no version fits, makes the Job of the
// example's CronJob, holds what it has registered against the gate, and deploys
// it or does not; what alerts there are, and which rows are live, is played to it
// (TestTrainer of package agent/guard).
//
// Played is the kubelet: a pod of a Job is a process of this machine, which runs
// the script that is its image's entry point, with the packages of the example's
// requirements.txt. It has the variables of the pod and of its Secrets and no
// others, a token of the pod's ServiceAccount, and a folder for /tmp. What is not
// tried so is the image itself, its user and its read-only file system.
package trainers
