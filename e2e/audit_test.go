package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// writes are what Leeway's service accounts have asked the API server to write,
// dry runs and refused ones included.
type writes struct {
	own, leases, events, reviews int
	others                       []string // what was written by whom
}

// agentWrites reads the audit log from its beginning.
func agentWrites(t *testing.T, s *stage) (w writes) {
	t.Helper()
	f, err := os.Open(s.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var e struct {
			Verb      string
			User      struct{ Username string }
			ObjectRef struct{ Resource, Subresource, Namespace, Name, APIGroup string }
		}
		if err := d.Decode(&e); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // a line may be half written
			return w
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(e.User.Username, "system:serviceaccount:"+system+":") {
			continue
		}
		switch o := e.ObjectRef; {
		case o.APIGroup == "leeway.dev":
			w.own++
		case o.APIGroup == "coordination.k8s.io" && o.Resource == "leases" && o.Namespace == system:
			w.leases++
		case o.Resource == "events":
			w.events++
		case e.Verb == "create" && (o.Resource == "tokenreviews" || o.Resource == "subjectaccessreviews" || o.Resource == "selfsubjectaccessreviews"):
			w.reviews++
		default:
			_, account, _ := strings.Cut(e.User.Username, system+":")
			w.others = append(w.others, fmt.Sprintf("%s: %s %s.%s %s/%s", account, e.Verb, o.Resource+o.Subresource, o.APIGroup, o.Namespace, o.Name))
		}
	}
}
