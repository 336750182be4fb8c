package chaos_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// logged is an audit log that was made up.
type logged struct {
	lines    []string
	revision int
}

// add adds a write by a replica, or by somebody else where pod is empty.
func (l *logged) add(pod, verb, resource, name string, object map[string]any, uri string) {
	l.revision++
	user := map[string]any{"username": "somebody"}
	if pod != "" {
		user = map[string]any{"username": "system:serviceaccount:leeway-system:leeway-controller",
			"extra": map[string]any{"authentication.kubernetes.io/pod-name": []string{pod}}}
	}
	meta, _ := object["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
		object["metadata"] = meta
	}
	meta["resourceVersion"] = fmt.Sprint(l.revision)
	resource, sub, _ := strings.Cut(resource, "/")
	b, err := json.Marshal(map[string]any{"verb": verb, "requestURI": uri, "user": user, "responseStatus": map[string]any{"code": 200}, "responseObject": object,
		"objectRef": map[string]any{"resource": resource, "subresource": sub, "namespace": "here", "name": name}})
	if err != nil {
		panic(err) // of what is made up
	}
	l.lines = append(l.lines, string(b))
}

func (l *logged) leads(pod string) {
	l.add("", "update", "leases", "leeway-controller", map[string]any{"spec": map[string]any{"holderIdentity": pod + "_x"}}, "/")
}

func (l *logged) serves(pod, artifact, query string) {
	l.add(pod, "patch", "deployments", "m", map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
		"containers": []any{map[string]any{"env": []any{map[string]any{"name": "MODEL_URI", "value": artifact}}}}}}}}, "/x?"+query)
}

func (l *logged) trains(pod, job, decision string) {
	l.add(pod, "create", "jobs", job, map[string]any{"metadata": map[string]any{"labels": map[string]any{"leeway.dev/decision": decision}}}, "/")
}

func (l *logged) decides(pod, step string) {
	l.add(pod, "update", "modeldecisions/status", "d", map[string]any{"status": map[string]any{"steps": []any{map[string]any{"name": step}}}}, "/")
}

func (l *logged) read(t *testing.T) *auditLog {
	t.Helper()
	a := &auditLog{path: filepath.Join(t.TempDir(), "audit.log")}
	if err := os.WriteFile(a.path, []byte(strings.Join(l.lines, "\n")+"\n{\"half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.read(); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestJudge makes up logs in which something went wrong, and wants each to be
// found.
func TestJudge(t *testing.T) {
	back := act{"bad_release", "rollback", "2", "1"}
	training := act{"input_drift", "retrain", "2", ""}
	cases := map[string]struct {
		want []act
		done []act
		log  func(l *logged)
		says []string
	}{
		"as it should be": {[]act{back, training}, []act{back, training}, func(l *logged) {
			l.serves("a", "1", "")
			l.trains("a", "j", "d")
		}, nil},
		"dry runs and writes that change nothing are none": {[]act{back}, []act{back}, func(l *logged) {
			l.serves("a", "1", "dryRun=All")
			l.serves("a", "1", "")
			l.serves("b", "1", "")
		}, nil},
		"changed twice": {[]act{back}, []act{back}, func(l *logged) {
			l.serves("a", "1", "")
			l.serves("", "2", "")
			l.serves("b", "1", "")
		}, []string{"2 changes of the model's field, want 1"}},
		"another target": {[]act{back}, []act{back}, func(l *logged) { l.serves("a", "3", "") }, []string{"changed from 2 to 3, want from 2 to 1"}},
		"not at all":     {[]act{back}, nil, func(*logged) {}, []string{"was done 0 times", "0 changes"}},
		"done twice":     {[]act{back}, []act{back, back}, func(l *logged) { l.serves("a", "1", "") }, []string{"was done 2 times"}},
		"something else": {[]act{back}, []act{back, training}, func(l *logged) {
			l.serves("a", "1", "")
			l.trains("a", "j", "d")
		}, []string{"which nobody wants", "Jobs of 1 decisions, want 0"}},
		"two Jobs": {[]act{training}, []act{training}, func(l *logged) {
			l.trains("a", "j", "d")
			l.trains("b", "k", "d")
		}, []string{"2 Jobs of decision d"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := &logged{}
			l.serves("", "2", "")
			tc.log(l)
			var all []decision
			for _, x := range tc.done {
				var d decision
				d.Spec.Cause, d.Spec.Action, d.Spec.From, d.Spec.To, d.Status.State = x.cause, x.action, x.from, x.to, "Done"
				all = append(all, d)
			}
			m := &scene{story: story{want: tc.want, releases: make([]release, 2)}, namespace: "here"}
			wrong := l.read(t).judge(m, all, func(v string) string { return v })
			if len(wrong) != len(tc.says) {
				t.Errorf("it says %q, want %q", wrong, tc.says)
			}
			for _, part := range tc.says {
				if !slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, part) }) {
					t.Errorf("it says %q, and not %q", wrong, part)
				}
			}
		})
	}
}

// TestFenced wants writes of a former leader to be told from those of a leader.
func TestFenced(t *testing.T) {
	l := &logged{}
	l.leads("a")
	l.decides("a", "applying")
	l.leads("b")
	l.decides("a", "applied") // b has written nothing yet
	l.decides("b", "resumed")
	l.decides("a", "verified") // b has
	l.leads("a")
	l.decides("a", "ended")
	f := l.read(t).fenced()
	if f.leaders != 3 || len(f.late) != 1 || f.late[0].lastStep != "applied" || len(f.mixed) != 1 || f.mixed[0].lastStep != "verified" {
		t.Errorf("%+v; want 3 leaders, applied to be late and verified to be mixed", f)
	}
}
