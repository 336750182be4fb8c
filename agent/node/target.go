package node

import (
	"net"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AdminPort is the name of the sidecar's port for metrics and references.
const AdminPort = "leeway-admin"

// adminAddress is where the sidecar of a pod is scraped; ok is false while the
// pod has no address, is finished, or has no sidecar.
func adminAddress(pod *corev1.Pod) (address string, ok bool) {
	if pod.Status.PodIP == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return "", false
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, c := range containers {
			for _, p := range c.Ports {
				if p.Name == AdminPort {
					return net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(p.ContainerPort))), true
				}
			}
		}
	}
	return "", false
}

// Workload is the name of what the pod belongs to: the Deployment of a
// ReplicaSet (whose name is the Deployment's and the template hash), else the
// controlling owner, such as a StatefulSet. Empty for a pod on its own.
func Workload(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return ""
	}
	if owner.Kind == "ReplicaSet" {
		hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		if name, ok := strings.CutSuffix(owner.Name, "-"+hash); ok && hash != "" {
			return name
		}
	}
	return owner.Name
}

// target is one sidecar for the scrape manager, or nil.
func target(pod *corev1.Pod) model.LabelSet {
	address, ok := adminAddress(pod)
	if !ok {
		return nil
	}
	return model.LabelSet{
		model.AddressLabel: model.LabelValue(address),
		"namespace":        model.LabelValue(pod.Namespace),
		"pod":              model.LabelValue(pod.Name),
		"node":             model.LabelValue(pod.Spec.NodeName),
		"workload":         model.LabelValue(Workload(pod)),
	}
}

// targets are the sidecars of the pods as one group. The group is never missing,
// even when it is empty: the scrape manager keeps the targets of a job that an
// update does not name.
func targets(pods []*corev1.Pod) map[string][]*targetgroup.Group {
	group := &targetgroup.Group{Source: job}
	for _, pod := range pods {
		if t := target(pod); t != nil {
			group.Targets = append(group.Targets, t)
		}
	}
	return map[string][]*targetgroup.Group{job: {group}}
}
