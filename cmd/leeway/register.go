package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/artifact"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// registration is what the flags of register say.
type registration struct {
	spec        v1alpha1.ModelVersionSpec
	profile     string // a file
	encoded     []byte // or the profile itself
	endpoint    string
	metrics     []string
	params      []string
	evaluations []string
	evaluate    []string // files
	from, to    string
	parent      string
	allow       []string // patterns of artifacts
	dvc         dvcFlags
}

func newRegister(a *app) *cobra.Command {
	var (
		r registration
		f format
	)
	cmd := &cobra.Command{
		Use:   "register --model MODEL --artifact URI --profile FILE",
		Short: "Register a version; prints its number",
		Long: `Register a version of a model and print its number. A version never changes
once it is registered, and its number is never given again.

The artifact is read, so that it is known to be there, and its SHA-256 is
registered: an S3 object (s3://bucket/key; credentials and AWS_ENDPOINT_URL as
the AWS tools read them), a file, all of a folder (a URI that ends in "/"), or
an image pinned by @sha256:....

With --dvc DIR the version is filled from a DVC repository: the training data's
name, MD5 and URI in the remote, the git commit, parameters and metrics. The
data is read, must have the MD5 that DVC has locked, and is profiled here, with
the flags of "leeway profile"; a --profile must then be that very profile. Other
flags count more than what the repository says.

Inside a retraining Job the flags --model, --parent and --decision have the
values that the agent gave to it, and registering the same content for the same
decision again prints the version that is there.`,
		Example: `  leeway register --model churn --artifact s3://models/churn/7 --profile train.json \
    --metric auc=0.91 --dataset-name 2026-spring --dataset-rows 120000
  leeway register --model churn --artifact ./model.bin --profile train.json --parent 6 \
    --evaluation self@spring:auc=0.91 --evaluation 6@spring:auc=0.88
  leeway register --model churn --artifact model.bin --dvc . --dvc-data data/train.csv --label churned
  leeway register --model churn --artifact ./model.bin --profile train.json --dataset-name 2026-w41 \
    --evaluate predictions.csv`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.register(cmd.Context(), r)
			if err != nil {
				return err
			}
			if f != "table" {
				return f.print(a.out, view(v), nil)
			}
			_, err = fmt.Fprintln(a.out, v.Number)
			return err
		},
	}
	fs := cmd.Flags()
	r.addFlags(a, fs)
	s := &r.spec
	fs.StringVar(&s.Model, "model", a.env("LEEWAY_MODEL"), "name of the model (env LEEWAY_MODEL)")
	fs.StringVar(&r.profile, "profile", "", "`FILE` with the profile of the training data")
	fs.Int64Var(&s.Dataset.Rows, "dataset-rows", 0, "rows of the training data; by default the profile's")
	fs.StringVar(&r.from, "dataset-from", "", "`TIME` of its first row, as 2026-01-31 or RFC 3339; by default the profile's")
	fs.StringVar(&r.to, "dataset-to", "", "`TIME` of its last row")
	fs.StringVar(&s.Dataset.MD5, "dataset-md5", "", "DVC's hash of the training data")
	fs.StringVar(&s.Dataset.Commit, "dataset-commit", "", "git commit that the training data belongs to")
	fs.StringVar(&s.Lineage.Decision, "decision", a.env("LEEWAY_DECISION"), "decision that asked for the training (env LEEWAY_DECISION)")
	r.dvc.addFlags(fs)
	f.addTo(cmd)
	return cmd
}

// addFlags adds the flags that do not depend on where the profile comes from.
func (r *registration) addFlags(a *app, fs *pflag.FlagSet) {
	s := &r.spec
	fs.StringVar(&s.Artifact.URI, "artifact", "", "`URI` of what a model server loads")
	fs.StringVar(&s.Artifact.SHA256, "sha256", "", "what the artifact's SHA-256 must be; by default it is computed")
	fs.StringVar(&r.endpoint, "s3-endpoint", "", "`URL` of an S3-compatible server (env AWS_ENDPOINT_URL)")
	fs.StringSliceVar(&r.allow, "artifact-allow", splitEnv(a.env("LEEWAY_ARTIFACT_ALLOW")), "`PATTERNS` of artifacts that may be read, such as s3://models/*; by default all (env LEEWAY_ARTIFACT_ALLOW)")
	fs.StringArrayVar(&r.metrics, "metric", nil, "`NAME=VALUE` on the version's hold-out rows; may be repeated")
	fs.StringArrayVar(&r.params, "param", nil, "`NAME=VALUE` that it was trained with, NAME such as train.lr or params.yaml:train.lr; may be repeated")
	fs.StringArrayVar(&r.evaluations, "evaluation", nil, "`VERSION@DATASET:METRIC=VALUE`, where VERSION self is this one; may be repeated")
	fs.StringArrayVar(&r.evaluate, "evaluate", nil, "`FILE` with what versions predicted for held-out rows, as \"leeway evaluate\" reads it; may be repeated")
	fs.StringVar(&s.Dataset.Name, "dataset-name", "", "name of the training data")
	fs.StringVar(&s.Dataset.URI, "dataset-uri", "", "where the training data is")
	fs.StringVar(&r.parent, "parent", a.env("LEEWAY_PARENT_VERSION"), "`VERSION` that was live when this one was trained (env LEEWAY_PARENT_VERSION)")
	fs.StringVar(&s.Lineage.Run, "run", "", "name of the training run")
	fs.StringVar(&s.Compat, "compat", "", "free text: versions with another value are not exchangeable")
}

func splitEnv(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func (a *app) register(ctx context.Context, r registration) (registry.Version, error) {
	none := registry.Version{}
	spec := r.spec
	if spec.Model == "" || spec.Artifact.URI == "" {
		return none, usage("a version needs --model and --artifact")
	}
	if err := r.parse(&spec); err != nil {
		return none, usageError{err}
	}
	if err := a.addDVC(ctx, &spec, &r); err != nil {
		return none, err
	}
	if err := a.evaluate(&spec, r.evaluate); err != nil {
		return none, err
	}
	var err error
	if spec.Artifact.URI, err = artifact.Absolute(spec.Artifact.URI); err != nil {
		return none, err
	}
	if err := a.addProfile(&spec, r); err != nil {
		return none, err
	}
	s, err := a.open(ctx)
	if err != nil {
		return none, err
	}
	if strings.HasPrefix(a.storeURI, "kube:") && strings.HasPrefix(spec.Artifact.URI, "file:") {
		a.note("%s is a file of this machine: the cluster's pods can't load it", spec.Artifact.URI)
	}
	if err := known(ctx, s, spec); err != nil {
		return none, err
	}
	if err := a.addDigest(ctx, &spec, r); err != nil {
		return none, err
	}
	return s.Register(ctx, spec)
}

// parse reads the flags that are more than text.
func (r registration) parse(spec *v1alpha1.ModelVersionSpec) (err error) {
	for _, m := range r.metrics {
		name, value, ok := strings.Cut(m, "=")
		if !ok || name == "" {
			return fmt.Errorf("--metric %q: write NAME=VALUE", m)
		}
		if _, twice := spec.Metrics[name]; twice {
			return fmt.Errorf("--metric %s: given twice", name)
		}
		if spec.Metrics == nil {
			spec.Metrics = map[string]string{}
		}
		spec.Metrics[name] = value
	}
	for _, p := range r.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return fmt.Errorf("--param %q: write NAME=VALUE", p)
		}
		if spec.Params == nil {
			spec.Params = map[string]v1alpha1.Value{}
		}
		spec.Params[name] = v1alpha1.Value(value)
	}
	for _, s := range r.evaluations {
		e, err := parseEvaluation(s)
		if err != nil {
			return err
		}
		spec.Evaluations = append(spec.Evaluations, e)
	}
	if r.parent != "" {
		if spec.Lineage.Parent, err = registry.ParseNumber(r.parent); err != nil {
			return fmt.Errorf("--parent: %w", err)
		}
	}
	if spec.Dataset.From, err = parseTime("--dataset-from", r.from); err != nil {
		return err
	}
	spec.Dataset.To, err = parseTime("--dataset-to", r.to)
	return err
}

// selfVersion is the version that is being registered.
const selfVersion = "self"

// parseEvaluation reads VERSION@DATASET:METRIC=VALUE. The data set's name may
// hold colons, the metric's may not.
func parseEvaluation(s string) (e v1alpha1.Evaluation, err error) {
	version, rest, ok := strings.Cut(s, "@")
	rest, value, ok2 := cutLast(rest, "=")
	dataset, metric, ok3 := cutLast(rest, ":")
	if !ok || !ok2 || !ok3 {
		return e, fmt.Errorf("--evaluation %q: write VERSION@DATASET:METRIC=VALUE", s)
	}
	e = v1alpha1.Evaluation{Dataset: dataset, Metric: metric, Value: value}
	if version != selfVersion {
		if e.Version, err = registry.ParseNumber(version); err != nil {
			return e, fmt.Errorf("--evaluation %q: %w, or self", s, err)
		}
	}
	return e, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func parseTime(flag, s string) (*metav1.Time, error) {
	if s == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return &metav1.Time{Time: t.UTC()}, nil
		}
	}
	return nil, fmt.Errorf("%s %q: write a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z", flag, s)
}

// addProfile packs the profile, and takes from it what was not said about the
// data.
func (a *app) addProfile(spec *v1alpha1.ModelVersionSpec, r registration) error {
	b, name := r.encoded, r.profile
	if b == nil && name == "" {
		a.note("without --profile this version is never matched, and its inputs and predictions are not watched")
		return nil
	}
	var err error
	if b == nil {
		if b, err = a.readFile(name, profile.MaxBytes); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
	}
	p, err := profile.Parse(b)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d := &spec.Dataset
	if d.Rows == 0 {
		d.Rows = p.Rows
	}
	if d.From == nil && p.From != nil {
		d.From = &metav1.Time{Time: *p.From}
	}
	if d.To == nil && p.To != nil {
		d.To = &metav1.Time{Time: *p.To}
	}
	spec.Profile, err = registry.Pack(b)
	return err
}

// known says whether the versions that the spec names are there.
func known(ctx context.Context, s registry.Store, spec v1alpha1.ModelVersionSpec) error {
	named := map[int64]string{}
	for _, e := range spec.Evaluations {
		named[e.Version] = "--evaluation"
	}
	named[spec.Lineage.Parent] = "--parent"
	delete(named, 0)
	for n, flag := range named {
		if _, err := s.Get(ctx, spec.Model, n); err != nil {
			return fmt.Errorf("%s %s: %w", flag, strconv.FormatInt(n, 10), err)
		}
	}
	return nil
}

// addDigest reads the artifact: what can't be read can't be deployed. An image
// whose registry does not tell is taken by its pin.
func (a *app) addDigest(ctx context.Context, spec *v1alpha1.ModelVersionSpec, r registration) error {
	allow, err := r.allowed()
	if err != nil {
		return err
	}
	p := newProgress(a.err)
	p.more = " of the artifact"
	c := artifact.New(artifact.Options{Endpoint: r.endpoint, Allow: allow, Keychain: authn.DefaultKeychain, Progress: p.add})
	digest, err := c.Digest(ctx, spec.Artifact.URI)
	p.done()
	if pin, ok := artifact.Pin(spec.Artifact.URI); ok && errors.Is(err, artifact.ErrUnreachable) && ctx.Err() == nil {
		a.note("whether the image is there is not known: %v", err)
		digest, err = pin, nil
	}
	if err != nil {
		return err
	}
	if want := spec.Artifact.SHA256; want != "" && want != digest {
		return fmt.Errorf("%s: %w: it is %s, --sha256 is %s", spec.Artifact.URI, artifact.ErrDigest, digest, want)
	}
	spec.Artifact.SHA256 = digest
	return nil
}

// allowed is what --artifact-allow says; without it, everything.
func (r registration) allowed() (artifact.Allow, error) {
	if len(r.allow) == 0 {
		return artifact.Allow{}, nil
	}
	allow, err := artifact.ParseAllow(r.allow)
	if err != nil {
		return allow, usageError{fmt.Errorf("--artifact-allow: %w", err)}
	}
	return allow, nil
}
