package e2e_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
)

// Rights are written "verbs resource.group", with names of objects behind if it
// is only these.

// everyone is what Kubernetes grants to all service accounts: to ask about
// themselves, and what and where the API is.
var everyone = []string{
	"get,list,watch clustertrustbundles.certificates.k8s.io",
	"create selfsubjectreviews.authentication.k8s.io",
	"create selfsubjectaccessreviews.authorization.k8s.io",
	"create selfsubjectrulesreviews.authorization.k8s.io",
	"get /api", "get /api/*", "get /apis", "get /apis/*", "get /healthz", "get /livez", "get /readyz",
	"get /openapi", "get /openapi/*", "get /version", "get /version/",
	"get /.well-known/openid-configuration", "get /.well-known/openid-configuration/", "get /openid/v1/jwks", "get /openid/v1/jwks/",
}

// What Leeway's parts may do, besides.
var (
	nodeRights       = []string{"get,list,watch pods"}
	controllerRights = []string{
		"get,list,watch pods",
		"get,list,watch deployments.apps", "get,list,watch statefulsets.apps",
		"create events", "create events.events.k8s.io",
		"create tokenreviews.authentication.k8s.io",
		"create subjectaccessreviews.authorization.k8s.io",
		"get,list,watch modelguards.leeway.dev", "get,update modelguards/status.leeway.dev",
		"get,list modelversions.leeway.dev", "get,update modelversions/status.leeway.dev",
		"create,delete,get,list,watch modeldecisions.leeway.dev", "get,update modeldecisions/status.leeway.dev",
	}
	leaderRights = []string{"create leases.coordination.k8s.io", "get,update leases.coordination.k8s.io leeway-controller"}
	actorRights  = []string{
		"patch deployments.apps", "patch statefulsets.apps",
		"get cronjobs.batch", "create,get jobs.batch", "get secrets leeway-github",
	}
	viewerRights  = []string{"get,list,watch modelguards.leeway.dev", "get,list,watch modelversions.leeway.dev", "get,list,watch modeldecisions.leeway.dev"}
	labelsRights  = []string{"create modelguards/feedback.leeway.dev"}
	trainerRights = []string{
		"create,get,list modelversions.leeway.dev", "update modelversions/status.leeway.dev",
		"get,update configmaps leeway-numbers",
	}
)

// testRights asks the API server for everything that each identity may do. In
// namespace example nobody is bound to leeway-actor yet, in careful Leeway is.
func testRights(t *testing.T, s *stage) {
	for _, tc := range []struct {
		account, namespace string
		rights             [][]string
	}{
		{system + ":leeway-node", system, [][]string{nodeRights}},
		{system + ":leeway-node", example, [][]string{nodeRights}},
		{system + ":leeway-node", "careful", [][]string{nodeRights}},
		{system + ":leeway-controller", system, [][]string{controllerRights, leaderRights}},
		{system + ":leeway-controller", example, [][]string{controllerRights}},
		{system + ":leeway-controller", "careful", [][]string{controllerRights, actorRights}},
		{system + ":leeway-controller", "kube-system", [][]string{controllerRights}},
		{example + ":default", example, nil}, // of the sidecar, which has no token for it
		{example + ":flights-labels", example, [][]string{viewerRights, labelsRights}},
		{example + ":flights-labels", "careful", [][]string{viewerRights}},
		{example + ":flights-labels", system, [][]string{viewerRights}},
		{example + ":flights-trainer", example, [][]string{trainerRights}},
		{example + ":flights-trainer", "careful", nil},
		{example + ":flights-trainer", system, nil},
	} {
		want := atoms(append(slices.Concat(tc.rights...), everyone...))
		got := s.rights(t, "system:serviceaccount:"+tc.account, tc.namespace)
		for _, right := range slices.Sorted(maps.Keys(got)) {
			if !want[right] {
				t.Errorf("%s may in namespace %s, and should not: %s", tc.account, tc.namespace, right)
			}
		}
		for _, right := range slices.Sorted(maps.Keys(want)) {
			if !got[right] {
				t.Errorf("%s may not in namespace %s, but should: %s", tc.account, tc.namespace, right)
			}
		}
	}
	testNoToken(t, s)
}

// atoms splits rights into one for each verb.
func atoms(rights []string) map[string]bool {
	all := map[string]bool{}
	for _, right := range rights {
		verbs, what, _ := strings.Cut(right, " ")
		for verb := range strings.SplitSeq(verbs, ",") {
			all[verb+" "+what] = true
		}
	}
	return all
}

// rights asks as somebody for all that he may do in a namespace.
func (s *stage) rights(t *testing.T, user, namespace string) map[string]bool {
	t.Helper()
	cmd := s.KubectlCommand(t.Context(), "create", "-f", "-", "-o", "json", "--validate=false", "--as="+user)
	cmd.Stdin = strings.NewReader(`{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectRulesReview","spec":{"namespace":"` + namespace + `"}}`)
	out, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	var review struct {
		Status struct {
			Incomplete    bool
			ResourceRules []struct{ Verbs, APIGroups, Resources, ResourceNames []string }

			NonResourceRules []struct{ Verbs, NonResourceURLs []string }
		}
	}
	if err := json.Unmarshal([]byte(out), &review); err != nil {
		t.Fatal(err)
	}
	if review.Status.Incomplete {
		t.Error("the list of rights is not complete")
	}
	all := map[string]bool{}
	for _, r := range review.Status.ResourceRules {
		for _, resource := range r.Resources {
			for _, group := range r.APIGroups {
				what := resource
				if group != "" {
					what += "." + group
				}
				if len(r.ResourceNames) > 0 {
					what += " " + strings.Join(r.ResourceNames, ",")
				}
				maps.Copy(all, atoms([]string{strings.Join(r.Verbs, ",") + " " + what}))
			}
		}
	}
	for _, r := range review.Status.NonResourceRules {
		for _, path := range r.NonResourceURLs {
			maps.Copy(all, atoms([]string{strings.Join(r.Verbs, ",") + " " + path}))
		}
	}
	return all
}

// testNoToken looks for a token in the pods of the models: what is not there
// cannot be stolen through the sidecar.
func testNoToken(t *testing.T, s *stage) {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct {
				ServiceAccountName string
				Volumes            []struct{ Projected, Secret json.RawMessage }
			}
		}
	}
	if err := s.read(t, &list, "pods", "-n", example, "-l", "leeway.dev/model"); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) == 0 {
		t.Error("there are no pods of a model")
	}
	for _, p := range list.Items {
		if p.Spec.ServiceAccountName != "default" {
			t.Errorf("pod %s runs as %s", p.Metadata.Name, p.Spec.ServiceAccountName)
		}
		for _, v := range p.Spec.Volumes {
			if v.Projected != nil || v.Secret != nil {
				t.Errorf("pod %s mounts a token or a secret: %s%s", p.Metadata.Name, v.Projected, v.Secret)
			}
		}
	}
}

// testTokens calls the controllers' API as several people and nobody.
func testTokens(t *testing.T, s *stage) {
	labels, trainer := s.token(t, "flights-labels", "leeway"), s.token(t, "flights-trainer", "leeway")
	row := func(namespace string) string {
		return `[{"namespace":"` + namespace + `","model":"flights","version":"1","predicted":1,"actual":2}]`
	}
	const query, feedback, versions = "/api/v1/query?query=up", "/leeway/v1/feedback", "/leeway/v1/models/flights/versions?namespace="
	for _, tc := range []struct {
		name, token, path, body string
		want                    int
	}{
		{"nobody asks", "", query, "", 401},
		{"a token for another audience", s.token(t, "flights-labels", "https://kubernetes.default.svc.cluster.local"), query, "", 401},
		{"a token that is none", "abc", query, "", 401},
		{"the viewer asks", labels, query, "", 200},
		{"the trainer asks", trainer, query, "", 403},
		{"labels for the own namespace", labels, feedback, row(example), 200},
		{"labels for another namespace", labels, feedback, row("careful"), 403},
		{"labels from one who may not", trainer, feedback, row(example), 403},
		{"versions of the own namespace", trainer, versions + example, "", 200},
		{"versions of another namespace", trainer, versions + "careful", "", 403},
		{"all models of the own namespace", trainer, "/leeway/v1/models?namespace=" + example, "", 200},
		{"versions of no namespace", trainer, "/leeway/v1/models/flights/versions", "", 403},
		{"a version from one who may not register", labels, versions + example, "{}", 403},
		{"a version of no content type, from one who may", trainer, versions + example, "{}", 415},
		{"samples from one who is no agent", labels, "/api/v1/write", "x", 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, said := s.ask(t, tc.token, tc.path, tc.body)
			if code != tc.want && !(tc.want == 200 && code == 204) {
				t.Errorf("answer %d, want %d: %.300s", code, tc.want, said)
			}
			if code >= 400 && strings.TrimSpace(said) == "" {
				t.Error("it was refused without a word")
			}
		})
	}
}

func (s *stage) token(t *testing.T, account, audience string) string {
	t.Helper()
	return strings.TrimSpace(kubectl(t, s.Cluster, "create", "token", account, "-n", example, "--audience="+audience))
}

// ask calls the controllers' API; with a body it posts.
func (s *stage) ask(t *testing.T, token, path, body string) (code int, said string) {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.leeway+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// query evaluates PromQL in one of the controllers, and gives the values by pod.
func (s *stage) query(t *testing.T, token, expr string) map[string]string {
	t.Helper()
	code, said := s.ask(t, token, "/api/v1/query?query="+url.QueryEscape(expr), "")
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  []any
			}
		}
	}
	if err := json.Unmarshal([]byte(said), &answer); err != nil || code != 200 {
		t.Fatalf("query %s: %d %s, %v", expr, code, said, err)
	}
	values := map[string]string{}
	for _, r := range answer.Data.Result {
		values[r.Metric["pod"]], _ = r.Value[1].(string)
	}
	return values
}
