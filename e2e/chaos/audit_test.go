package chaos_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// write is one request that the API server's audit log shows.
type write struct {
	// revision of the store after it: one order for all objects.
	revision        uint64
	at              time.Time
	pod             string // of the replica that asked, or empty: somebody else
	verb, resource  string // with the subresource
	namespace, name string
	code            int
	dry             bool
	holder          string // of a Lease
	artifact, mark  string // of a Deployment: the model's field, and the decision that set it
	decision        string // of a Job
	lastStep        string // of a ModelDecision's journal
}

func (w write) accepted() bool { return w.code < 300 && !w.dry }

func (w write) String() string {
	return fmt.Sprintf("%s %s %s %s %s/%s: %d", w.at.Format("15:04:05.000"), w.pod, w.verb, w.resource, w.namespace, w.name, w.code)
}

// auditLog is read as it grows.
type auditLog struct {
	path   string
	offset int64
	writes []write
}

// read reads on.
func (a *auditLog) read() error {
	f, err := os.Open(a.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(a.offset, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // half a line is for the next time
			return nil
		}
		if err != nil {
			return err
		}
		a.offset += int64(len(line))
		w, err := parseWrite(line)
		if err != nil {
			return fmt.Errorf("audit log: %w: %.300s", err, line)
		}
		a.writes = append(a.writes, w)
	}
}

func parseWrite(line []byte) (write, error) {
	var e struct {
		Verb, RequestURI string
		StageTimestamp   time.Time
		User             struct {
			Username string
			Extra    map[string][]string
		}
		ObjectRef      struct{ Resource, Subresource, Namespace, Name string }
		ResponseStatus struct{ Code int }
		ResponseObject struct {
			Metadata struct {
				Name, ResourceVersion string
				Labels, Annotations   map[string]string
			}
			Spec struct {
				HolderIdentity string
				Template       struct {
					Spec struct {
						Containers []struct {
							Env []struct{ Name, Value string }
						}
					}
				}
			}
			Status json.RawMessage
		}
	}
	if err := json.NewDecoder(bytes.NewReader(line)).Decode(&e); err != nil {
		return write{}, err
	}
	o := e.ResponseObject
	w := write{at: e.StageTimestamp, verb: e.Verb, resource: e.ObjectRef.Resource, namespace: e.ObjectRef.Namespace,
		name: cmp.Or(e.ObjectRef.Name, o.Metadata.Name), code: e.ResponseStatus.Code, dry: strings.Contains(e.RequestURI, "dryRun=All")}
	if e.ObjectRef.Subresource != "" {
		w.resource += "/" + e.ObjectRef.Subresource
	}
	if e.User.Username == "system:serviceaccount:"+system+":leeway-controller" && len(e.User.Extra["authentication.kubernetes.io/pod-name"]) == 1 {
		w.pod = e.User.Extra["authentication.kubernetes.io/pod-name"][0]
	}
	w.revision, _ = strconv.ParseUint(o.Metadata.ResourceVersion, 10, 64)
	switch w.resource {
	case "leases":
		w.holder, _, _ = strings.Cut(o.Spec.HolderIdentity, "_")
	case "deployments":
		w.mark = o.Metadata.Annotations["leeway.dev/decision"]
		for _, c := range o.Spec.Template.Spec.Containers {
			for _, v := range c.Env {
				if v.Name == "MODEL_URI" {
					w.artifact = v.Value
				}
			}
		}
	case "jobs":
		w.decision = o.Metadata.Labels["leeway.dev/decision"]
	case "modeldecisions/status":
		var s struct {
			Steps []struct{ Name string }
		}
		if w.code < 300 {
			if err := json.Unmarshal(o.Status, &s); err != nil {
				return w, err
			}
		}
		if len(s.Steps) > 0 {
			w.lastStep = s.Steps[len(s.Steps)-1].Name
		}
	}
	return w, nil
}

// inOrder are the accepted writes that changed something, in the order of the
// store.
func (a *auditLog) inOrder() []write {
	var all []write
	for _, w := range a.writes {
		if w.accepted() && w.revision > 0 {
			all = append(all, w)
		}
	}
	slices.SortStableFunc(all, func(a, b write) int { return cmp.Compare(a.revision, b.revision) })
	seen := uint64(0) // a write that changes nothing has the revision of the one before
	return slices.DeleteFunc(all, func(w write) bool {
		same := w.revision == seen
		seen = w.revision
		return same
	})
}

// change is one change of a model's field by a replica.
type change struct{ from, to, mark string }

// changes are all of a namespace.
func (a *auditLog) changes(namespace string) (list []change) {
	last := ""
	for _, w := range a.inOrder() {
		if w.resource != "deployments" || w.namespace != namespace {
			continue
		}
		if w.pod != "" && w.artifact != last {
			list = append(list, change{last, w.artifact, w.mark})
		}
		last = w.artifact
	}
	return list
}

// jobs counts the Jobs that replicas made, by decision.
func (a *auditLog) jobs(namespace string) map[string]int {
	n := map[string]int{}
	for _, w := range a.writes {
		if w.resource == "jobs" && w.verb == "create" && w.accepted() && w.pod != "" && w.namespace == namespace {
			n[w.decision]++
		}
	}
	return n
}

// fencing is how the writes of the two replicas lie to each other.
type fencing struct {
	leaders int     // how often the Lease changed hands
	late    []write // accepted of one that had lost the Lease, where the next one had written nothing yet
	mixed   []write // and where it had: two have led at once
	refused int     // because the object was there, or had changed since it was read
}

// fenced looks at all that replicas have written to decisions, Deployments and
// Jobs.
func (a *auditLog) fenced() (f fencing) {
	holder, wrote := "", map[string]bool{} // in which namespaces who holds the Lease has written
	for _, w := range a.inOrder() {
		switch {
		case w.resource == "leases":
			if w.name == "leeway-controller" && w.holder != holder {
				if w.holder != "" {
					f.leaders++
				}
				holder, wrote = w.holder, map[string]bool{}
			}
		case !w.acts():
		case w.pod == holder:
			wrote[w.namespace] = true
		case wrote[w.namespace]:
			f.mixed = append(f.mixed, w)
		default:
			f.late = append(f.late, w)
		}
	}
	for _, w := range a.writes {
		if w.acts() && w.code == 409 && !w.dry {
			f.refused++
		}
	}
	return f
}

// acts says that a write is a replica's, and of the kind that only a leader makes.
func (w write) acts() bool {
	switch w.resource {
	case "modeldecisions", "modeldecisions/status", "deployments", "jobs":
		return w.pod != ""
	}
	return false
}

// judge says what is wrong with how a story went.
func (a *auditLog) judge(m *scene, all []decision, artifact func(version string) string) (wrong []string) {
	done := map[act]int{}
	for _, d := range all {
		if d.Status.State == "Done" && d.Spec.Action != "hold" {
			done[d.act()]++
		}
	}
	var want []change
	trainings := 0
	for _, x := range m.want {
		if done[x] != 1 {
			wrong = append(wrong, fmt.Sprintf("%v was done %d times", x, done[x]))
		}
		delete(done, x)
		if x.action == "retrain" {
			trainings++
			continue
		}
		// The trained version's artifact has the name of the Job's pod.
		if len(m.releases) < int(x.to[0]-'0') {
			want = append(want, change{artifact(x.from), "", ""})
			continue
		}
		want = append(want, change{artifact(x.from), artifact(x.to), ""})
	}
	for x := range maps.Keys(done) {
		wrong = append(wrong, fmt.Sprintf("%v was done, which nobody wants", x))
	}
	got := a.changes(m.namespace)
	if len(got) != len(want) {
		wrong = append(wrong, fmt.Sprintf("%d changes of the model's field, want %d: %v", len(got), len(want), got))
	}
	for i := range min(len(got), len(want)) {
		if got[i].from != want[i].from || want[i].to != "" && got[i].to != want[i].to {
			wrong = append(wrong, fmt.Sprintf("changed from %s to %s, want from %s to %s", got[i].from, got[i].to, want[i].from, want[i].to))
		}
	}
	jobs := a.jobs(m.namespace)
	if len(jobs) != trainings {
		wrong = append(wrong, fmt.Sprintf("Jobs of %d decisions, want %d: %v", len(jobs), trainings, jobs))
	}
	for d, n := range jobs {
		if n != 1 {
			wrong = append(wrong, fmt.Sprintf("%d Jobs of decision %s", n, d))
		}
	}
	return wrong
}
