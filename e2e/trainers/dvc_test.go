package trainers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/python"
	"github.com/leeway-dev/leeway/e2e/versitygw"
)

// team keeps the example's repository: whoever labels rows, and writes the code.
type team struct {
	t      *testing.T
	p      *place
	dir    string
	origin string
	env    []string
}

// newTeam makes the repository as the example's README says.
func newTeam(t *testing.T, p *place) *team {
	t.Helper()
	m := &team{t: t, p: p, dir: p.path("team"), origin: p.path("origin.git")}
	m.env = append(append(os.Environ(), p.s3.Environment()...), "PATH="+filepath.Join(p.venv, "bin")+":"+os.Getenv("PATH"), "HOME="+p.dir, "DVC_SITE_CACHE_DIR="+p.path("dvc"), "DVC_NO_ANALYTICS=1",
		"PYTHONPYCACHEPREFIX="+p.venv+"/compiled", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if err := os.CopyFS(m.dir, os.DirFS("../../examples/dvc/repository")); err != nil {
		t.Fatal(err)
	}
	m.run("git", "init", "-q", "--bare", "-b", "main", m.origin)
	m.run("git", "init", "-q", "-b", "main")
	m.run("git", "remote", "add", "origin", "file://"+m.origin)
	m.run("dvc", "init", "-q")
	m.run("dvc", "remote", "add", "-q", "-d", "store", "s3://"+bucket+"/dvc")
	return m
}

func (m *team) run(args ...string) string {
	m.t.Helper()
	cmd := child.Command(m.t.Context(), "/usr/bin/env", args...)
	cmd.Dir, cmd.Env = m.dir, m.env
	out, err := child.Run(cmd)
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// label adds a file of labelled rows, in the place of what has its name.
func (m *team) label(name, rows string) {
	m.t.Helper()
	m.write("data/labelled/"+name, rows)
	m.run("dvc", "add", "-q", "data/labelled")
	m.run("dvc", "push", "-q")
	m.push("Rows " + name)
}

func (m *team) write(name, content string) {
	m.t.Helper()
	name = filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *team) push(message string) {
	m.t.Helper()
	m.run("git", "add", "-A")
	m.run("git", "commit", "-qm", message)
	m.run("git", "push", "-q", "origin", "main")
}

func TestDVC(t *testing.T) {
	venv := python.Need(t, "../../examples/dvc/requirements.txt", "git")
	script, err := filepath.Abs("../../examples/dvc/retrain.sh")
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, venv, "delivery-retrain", script)
	m := newTeam(t, p)
	p.secret("delivery-git", "GIT_URL=file://"+m.origin)
	p.secret("delivery-s3", p.s3.Environment()...)
	p.apply("../../examples/dvc/cronjob.yaml")
	now := time.Now().Truncate(time.Second)
	m.label("1.csv", before.deliveries(now.Add(-300*time.Minute), now.Add(-150*time.Minute)))
	p.say("the repository")

	// The first version, by hand: all rows that there are.
	p.trained("first")
	m.wantVersion("1", "", "main")

	rows := after.deliveries(now.Add(-150*time.Minute), now)
	m.label("2.csv", rows)
	if err := os.WriteFile(p.path("live.csv"), []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	// Somebody has broken the training.
	m.write("params.yaml", "holdout: 5\nridge: 1e9\n")
	m.push("Broken")
	p.guarded(p.path("live.csv"), "gate_failed")
	p.leeway("reject", model, "2", "--reason", "trained wrongly")
	m.run("git", "revert", "--no-edit", "HEAD")
	m.run("git", "push", "-q", "origin", "main")
	p.guarded(p.path("live.csv"), "gate_passed")
	all := p.versions()
	if len(all) != 3 {
		t.Fatalf("%d versions are registered, want 3", len(all))
	}

	p.wantTrained("3")

	// A second pod of the same decision: the first was lost after it had registered.
	decision := all[2].Lineage.Decision
	m.wantVersion("3", decision, "leeway/"+decision)
	log := p.kubelet.of(decision)[0]
	if said, failed := p.kubelet.execute(t.Context(), "again", log.env); failed || !strings.Contains(said, "registered version 3 of") {
		t.Errorf("run again it says\n%s", said)
	}
	p.say("run again")
	p.wantVersions(3)

	// What is in git is not in S3.
	lost := filepath.Join(p.s3.Buckets, bucket, "dvc")
	if err := os.Rename(lost, lost+"-lost"); err != nil {
		t.Fatal(err)
	}
	p.fails("lost", "data/labelled", "LEEWAY_DECISION=lost", "LEEWAY_PARENT_VERSION=3")
	if err := os.Rename(lost+"-lost", lost); err != nil {
		t.Fatal(err)
	}
	// There are no rows of the window.
	p.fails("none", "data/labelled has 0 rows from 2001-01-01T00:00:00Z to 2001-01-02T00:00:00Z, and 100 are needed", "LEEWAY_DECISION=none",
		"LEEWAY_PARENT_VERSION=3", "LEEWAY_WINDOW_FROM=2001-01-01T00:00:00Z", "LEEWAY_WINDOW_TO=2001-01-02T00:00:00Z")
	p.wantVersions(3)
}

// wantVersion checks what is registered against what DVC has locked in the
// branch of its training, and what it has pushed.
func (m *team) wantVersion(number, decision, branch string) {
	m.t.Helper()
	var v version
	for _, have := range m.p.versions() {
		if have.Version == number {
			v = have
		}
	}
	if v.Lineage.Decision != decision {
		m.t.Errorf("version %s is of decision %q, want %q", number, v.Lineage.Decision, decision)
	}
	m.run("git", "fetch", "-q", "origin")
	if branch == "main" { // by hand: the only one
		branch = strings.Fields(m.run("git", "branch", "-r", "--list", "origin/leeway/*"))[0]
	} else {
		branch = "origin/" + branch
	}
	if commit := m.run("git", "rev-parse", branch); v.Dataset.Commit != commit {
		m.t.Errorf("version %s is of commit %s, want %s", number, v.Dataset.Commit, commit)
	}
	var lock struct {
		Stages map[string]struct {
			Outs []struct{ Path, MD5 string }
		}
	}
	if err := yaml.Unmarshal([]byte(m.run("git", "show", branch+":dvc.lock")), &lock); err != nil {
		m.t.Fatal(err)
	}
	want := map[string]string{} // where the remote has what stage train has made
	for _, out := range lock.Stages["train"].Outs {
		want[out.Path] = fmt.Sprintf("s3://%s/dvc/files/md5/%s/%s", bucket, out.MD5[:2], out.MD5[2:])
		if _, err := os.Stat(filepath.Join(m.p.s3.Buckets, strings.TrimPrefix(want[out.Path], "s3://"))); err != nil {
			m.t.Errorf("version %s: not pushed: %v", number, err)
		}
		if out.Path == v.Dataset.Name && v.Dataset.MD5 != out.MD5 {
			m.t.Errorf("version %s: MD5 of %s is %q, DVC has locked %q", number, out.Path, v.Dataset.MD5, out.MD5)
		}
	}
	if v.Dataset.Name != "data/predicted.csv" || v.Dataset.MD5 == "" || v.Dataset.URI != want[v.Dataset.Name] || v.Artifact.URI != want["model.json"] {
		m.t.Errorf("version %s: %+v of %+v, want %v", number, v.Artifact, v.Dataset, want)
	}
	var metrics map[string]json.Number
	if err := json.Unmarshal([]byte(m.run("git", "show", branch+":metrics.json")), &metrics); err != nil {
		m.t.Fatal(err)
	}
	if v.Metrics["mae"] == "" || v.Metrics["mae"] != metrics["mae"].String() {
		m.t.Errorf("version %s: mae %q, want %s", number, v.Metrics["mae"], metrics["mae"])
	}
}

// wantVersions says how many are registered.
func (p *place) wantVersions(n int) {
	p.t.Helper()
	if all := p.versions(); len(all) != n {
		p.t.Errorf("%d versions are registered, want %d: %+v", len(all), n, all)
	}
}

// fails runs a Job that must fail, and say why.
func (p *place) fails(name, says string, env ...string) {
	p.t.Helper()
	log := p.train(name, env...)
	if !log.failed || !strings.Contains(log.text, says) || !strings.Contains(log.text, "Nothing was registered.") {
		p.t.Errorf("job %s failed: %t, want it to and to say %q, and that nothing was registered:\n%s", name, log.failed, says, log.text)
	}
	if strings.Contains(log.text, versitygw.Secret) {
		p.t.Errorf("job %s tells the secret", name)
	}
	p.say(name + ": " + lastLine(log.text))
}
