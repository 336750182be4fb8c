package plane

import (
	"context"
	"os"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Pod is one that nobody runs: a process of this machine has its identity.
type Pod struct {
	Namespace, Name, Account, Node string
	// Server is the API server as the process reaches it.
	Server string
}

// Bind makes a pod, and tokens that are bound to it: one in file.kubeconfig, and
// one of the audience leeway in file.token.
func (p Pod) Bind(ctx context.Context, kube kubernetes.Interface, file string) error {
	made, err := kube.CoreV1().Pods(p.Namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name},
		Spec:       corev1.PodSpec{ServiceAccountName: p.Account, NodeName: p.Node, Containers: []corev1.Container{{Name: "agent", Image: "none"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	to := &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.Name, UID: made.UID}
	api, err := NewToken(ctx, kube, p.Namespace, p.Account, "", to)
	if err != nil {
		return err
	}
	if err := WriteKubeconfig(file+".kubeconfig", p.Server, api); err != nil {
		return err
	}
	own, err := NewToken(ctx, kube, p.Namespace, p.Account, "leeway", to)
	if err != nil {
		return err
	}
	return os.WriteFile(file+".token", []byte(own), 0o600)
}

// NewToken is one of a ServiceAccount for a day: of the API server's audience if
// none is named, and bound to nothing if to is nil.
func NewToken(ctx context.Context, kube kubernetes.Interface, namespace, account, audience string, to *authenticationv1.BoundObjectReference) (string, error) {
	seconds := int64(24 * 3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds, BoundObjectRef: to}}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	made, err := kube.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return made.Status.Token, nil
}
