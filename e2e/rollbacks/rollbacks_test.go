package rollbacks_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/testbed"
)

// TestMain has five tests play at a time, whatever the machine has: most of what
// they do is to wait, but two cores can't start more pods than that and have every
// sidecar scraped each second.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestRollbacks(t *testing.T) {
	s := newStage(t)
	t.Cleanup(func() {
		if t.Failed() {
			s.showAgents(t)
		}
	})
	for _, scene := range []struct {
		name string
		play func(*testing.T, *place)
	}{ // the longest first
		{"quota", quota}, {"overwritten", overwritten}, {"ordered", ordered}, {"crash", crashLoop}, {"worse", worse},
		{"room", noRoom}, {"image", imageGone}, {"paused", paused}, {"scaled", scaled},
	} {
		t.Run(scene.name, func(t *testing.T) {
			t.Parallel()
			scene.play(t, &place{stage: s, namespace: scene.name})
		})
	}
}

// quota: the surge pod may not be created. The version before is back, and the
// rollback is tried again, which succeeds once the quota is gone.
func quota(t *testing.T, p *place) {
	p.parts = within(30)
	p.stand(t)
	check := p.floor(t, 1)
	p.serves(t, "2", 1)
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}}}
	if _, err := p.kube.CoreV1().ResourceQuotas(p.namespace).Create(t.Context(), q, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 20*time.Second, func() error {
		now, err := p.kube.CoreV1().ResourceQuotas(p.namespace).Get(t.Context(), "small", asIs)
		if used := now.Status.Used[corev1.ResourcePods]; err == nil && used.Value() != 1 {
			err = fmt.Errorf("%s pods are counted, want 1", used.String())
		}
		return err
	})
	p.findsNoRoom(t, "exceeded quota: small")
	if err := p.kube.CoreV1().ResourceQuotas(p.namespace).Delete(t.Context(), "small", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.wants(t, p.ends(t, 2*time.Minute, "Done"), "verified", "ok", "", "live")
	p.serves(t, "1", 1)
	check()
}

// noRoom: a pod such as those that need a whole GPU finds no node, and the strategy
// takes none away before it has.
func noRoom(t *testing.T, p *place) {
	node := p.NodeName(2)
	n, err := p.kube.CoreV1().Nodes().Get(t.Context(), node, asIs)
	if err != nil {
		t.Fatal(err)
	}
	cores := n.Status.Allocatable.Cpu().MilliValue()
	p.parts = append(within(20), "cpu: 5m, memory: 32Mi", fmt.Sprintf("cpu: %dm, memory: 32Mi", cores*35/100),
		"automountServiceAccountToken: false", "automountServiceAccountToken: false\n      nodeSelector: {kubernetes.io/hostname: "+node+"}")
	p.stand(t)
	check := p.floor(t, 1)
	p.serves(t, "2", 1)
	p.ApplyText(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: other, namespace: %s}
spec:
  nodeSelector: {kubernetes.io/hostname: %s}
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: other
      image: docker.io/local/pause:dev
      imagePullPolicy: Never
      resources: {requests: {cpu: %dm}}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`, p.namespace, node, cores*40/100))
	p.kubectl(t, "wait", "-n", p.namespace, "--for=condition=Ready", "pod/other", "--timeout=60s")
	p.findsNoRoom(t, "Insufficient cpu")
	check()
}

// findsNoRoom lets Leeway roll back, which comes to nothing for want of room. It says
// so meanwhile, and puts version 2 back.
func (p *place) findsNoRoom(t *testing.T, says string) {
	t.Helper()
	p.let(t)
	p.sees(t, 90*time.Second, func(g guard) bool { return g.Status.Phase == "Acting" && g.Status.Reason == "pods_pending" })
	d := p.ends(t, 90*time.Second, "Held")
	p.wants(t, d, "pods_pending", "undone", says, "registered")
	p.held(t, 10*time.Second, "pods_pending")
	p.serves(t, "2", 1)
}

// ordered: a StatefulSet replaces no pod while another is broken, the broken one
// neither. The guard says which pod to delete, and by what command.
func ordered(t *testing.T, p *place) {
	p.kind, p.replicas = "StatefulSet", 2
	p.stand(t)
	check := p.floor(t, 1)
	p.put(t, 2, []byte("no model"))
	p.kubectl(t, "delete", "pod", "flights-1", "-n", p.namespace)
	testbed.Eventually(t, 60*time.Second, func() error {
		pod, err := p.kube.CoreV1().Pods(p.namespace).Get(t.Context(), "flights-1", asIs)
		if err == nil && (len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].RestartCount < 1) {
			err = fmt.Errorf("flights-1 does not crash: %+v", pod.Status.ContainerStatuses)
		}
		return err
	})
	p.let(t)
	g := p.held(t, 90*time.Second, "pod_stuck")
	if version := p.template(t); version != "1" {
		t.Errorf("the template names version %s, want 1", version)
	}
	told := regexp.MustCompile(`kubectl (delete pod flights-1 -n ordered)$`).FindStringSubmatch(g.Status.Message)
	if told == nil {
		t.Fatalf("the guard does not say what to do: %s", g.Status.Message)
	}
	p.kubectl(t, strings.Fields(told[1])...)
	d := p.ends(t, 90*time.Second, "Done")
	p.wants(t, d, "verified", "ok", "", "live")
	p.serves(t, "1", 2)
	check()
}

// template is the version that the workload's template names.
func (p *place) template(t *testing.T) string {
	t.Helper()
	return p.kubectl(t, "get", p.kind, "flights", "-n", p.namespace, "-o", `jsonpath={.spec.template.metadata.labels.leeway\.dev/version}`)
}

// imageGone: no node has the image of the version any more.
func imageGone(t *testing.T, p *place) {
	digest := ""
	for line := range strings.Lines(p.node(t, 1, "ctr", "-n", "k8s.io", "images", "ls")) {
		if f := strings.Fields(line); f[0] == testbed.Server {
			digest = f[2]
		}
	}
	for i, name := range []string{"one", "two"} {
		p.uris[i] = "docker.io/local/flights-" + name + "@" + digest
		for n := 1; n <= p.Nodes(); n++ {
			p.node(t, n, "ctr", "-n", "k8s.io", "images", "tag", testbed.Server, p.uris[i])
		}
	}
	p.artifact = `container: model, image: true, allow: ["docker.io/local/flights-*"]`
	p.parts = within(20)
	p.stand(t)
	check := p.floor(t, 1)
	for n := 1; n <= p.Nodes(); n++ {
		p.node(t, n, "ctr", "-n", "k8s.io", "images", "rm", "--sync", p.uris[0])
	}
	p.let(t)
	d := p.ends(t, 90*time.Second, "Held")
	p.wants(t, d, "artifact_missing", "undone", "ErrImageNeverPull", "registered")
	p.held(t, 10*time.Second, "artifact_missing")
	p.serves(t, "2", 1)
	check()
}

// node runs a command on a node.
func (p *place) node(t *testing.T, n int, args ...string) string {
	t.Helper()
	out, err := child.Run(p.NodeCommand(n, args...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kill ends the model's process in each pod, so that it reads its artifact again.
func (p *place) kill(t *testing.T) {
	t.Helper()
	killed := 0
	for n := 1; n <= p.Nodes(); n++ {
		out := p.node(t, n, "ctr", "-n", "k8s.io", "containers", "ls", "-q",
			fmt.Sprintf(`labels."io.kubernetes.pod.namespace"==%s,labels."io.kubernetes.container.name"==model`, p.namespace))
		for id := range strings.FieldsSeq(out) {
			if err := p.NodeCommand(n, "ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", id).Run(); err == nil { // one that has ended is there as well
				killed++
			}
		}
	}
	if killed < p.replicas {
		t.Fatalf("%d processes killed, want one in each of %d pods", killed, p.replicas)
	}
}

// crashLoop: the version was rolled out, and then ends again and again.
func crashLoop(t *testing.T, p *place) {
	p.verify = "30s"
	p.stand(t)
	p.let(t)
	p.ends(t, 90*time.Second, "Verifying")
	p.serves(t, "1", 1)
	p.put(t, 1, []byte("no model"))
	p.kill(t)
	d := p.ends(t, 90*time.Second, "Failed")
	p.wants(t, d, "worse", "undone", "container model has ended 2 times", "rejected")
	p.warns(t, "worse")
	p.serves(t, "2", 1)
	p.goesOn(t)
}

// goesOn checks that version 2 is served as before.
func (p *place) goesOn(t *testing.T) {
	t.Helper()
	time.Sleep(6 * time.Second) // what was asked of the killed process is over then
	check := p.floor(t, 1)
	time.Sleep(5 * time.Second)
	check()
}

// worse: the version gone back to answers with more errors than the bad release.
func worse(t *testing.T, p *place) {
	p.verify = "30s"
	p.stand(t)
	p.let(t)
	p.ends(t, 90*time.Second, "Verifying")
	p.serves(t, "1", 1)
	p.put(t, 1, p.broken)
	p.kill(t)
	d := p.ends(t, 90*time.Second, "Failed")
	p.wants(t, d, "worse", "undone", "errors", "rejected")
	p.warns(t, "worse")
	p.serves(t, "2", 1)
	p.goesOn(t)
}

// paused: a person pauses the Deployment while it is rolled back.
func paused(t *testing.T, p *place) {
	p.stand(t)
	check := p.floor(t, 1)
	p.let(t)
	p.comes(t, 90*time.Second, func(d decision) bool { return d.has("applied") })
	p.kubectl(t, "rollout", "pause", "deployment/flights", "-n", p.namespace)
	p.held(t, 20*time.Second, "workload_paused")
	p.kubectl(t, "rollout", "resume", "deployment/flights", "-n", p.namespace)
	p.wants(t, p.ends(t, 90*time.Second, "Done"), "verified", "ok", "", "live")
	p.serves(t, "1", 1)
	check()
}

// scaled: an autoscaler wants more pods in the middle of it, and a budget lets none
// be evicted. Neither is in the way of the rollback, nor it in theirs.
func scaled(t *testing.T, p *place) {
	p.stand(t)
	p.ApplyText(t, fmt.Sprintf(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: flights, namespace: %[1]s}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: flights}, minReplicas: 1, maxReplicas: 2}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: flights, namespace: %[1]s}
spec: {maxUnavailable: 0, selector: {matchLabels: {app: flights}}}
`, p.namespace))
	check := p.floor(t, 1)
	p.let(t)
	p.comes(t, 90*time.Second, func(d decision) bool { return d.has("applied") })
	if _, err := p.kube.AutoscalingV2().HorizontalPodAutoscalers(p.namespace).Patch(t.Context(), "flights", types.MergePatchType,
		[]byte(`{"spec":{"minReplicas":2}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	p.wants(t, p.ends(t, 90*time.Second, "Done"), "verified", "ok", "", "live")
	p.serves(t, "1", 2)
	pods, err := p.pods(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = p.kube.PolicyV1().Evictions(p.namespace).Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pods[0].Name, Namespace: p.namespace}})
	if !apierrors.IsTooManyRequests(err) {
		t.Errorf("an eviction that the budget forbids: %v", err)
	}
	if n := p.kubectl(t, "get", "deployment", "flights", "-n", p.namespace, "-o", "jsonpath={.spec.replicas}"); n != "2" {
		t.Errorf("%s replicas, want those of the autoscaler", n)
	}
	check()
}

// overwritten: somebody has written over the artifact of the version to go back to.
func overwritten(t *testing.T, p *place) {
	p.stand(t)
	check := p.floor(t, 1)
	p.put(t, 1, p.broken)
	p.let(t)
	d := p.comes(t, 90*time.Second, func(d decision) bool { return d.Spec.Action == "hold" && d.Status.State == "Held" })
	p.wants(t, d, "artifact_digest", "", "version 1 is out: artifact_digest", "registered")
	p.held(t, 10*time.Second, "artifact_digest")
	if version := p.template(t); version != "2" {
		t.Errorf("the template names version %s, want 2: nothing may be deployed that is not what was registered", version)
	}
	p.put(t, 1, p.Good)
	p.wants(t, p.ends(t, 2*time.Minute, "Done"), "verified", "ok", "", "live")
	p.serves(t, "1", 1)
	check()
}
