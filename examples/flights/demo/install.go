package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/examples/flights/bucket"
	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/model"
	"github.com/leeway-dev/leeway/examples/flights/retrain"
)

func (d *demo) installLeeway(ctx context.Context) error {
	rules := filepath.Join(d.out, "rules")
	if err := os.RemoveAll(rules); err != nil {
		return err
	}
	if _, err := d.leeway(ctx, "rules", "render", "-f", "examples/flights/rules-values.yaml", "--dir", rules); err != nil {
		return err
	}
	key, secret := random(), random()
	d.s3 = map[string]string{"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1"}
	credentials := func(name, ns string) []string {
		return []string{"create", "secret", "generic", name, "-n", ns, "--from-literal=AWS_ACCESS_KEY_ID=" + key,
			"--from-literal=AWS_SECRET_ACCESS_KEY=" + secret, "--from-literal=AWS_REGION=us-east-1",
			"--from-literal=AWS_ENDPOINT_URL=http://s3." + namespace + ".svc:7070"}
	}
	for _, args := range [][]string{
		{"create", "namespace", system},
		{"create", "namespace", namespace},
		{"create", "configmap", "leeway-rules", "-n", system, "--from-file=" + rules},
		credentials("s3", system),
		credentials("s3", namespace),
		{"create", "secret", "generic", "s3-root", "-n", namespace, "--from-literal=ROOT_ACCESS_KEY=" + key, "--from-literal=ROOT_SECRET_KEY=" + secret},
		{"apply", "-k", "examples/flights/manifests/leeway"},
		{"rollout", "status", "-n", system, "statefulset/leeway-controller", "--timeout=120s"},
		{"rollout", "status", "-n", system, "daemonset/leeway-node", "--timeout=120s"},
	} {
		if _, err := d.kubectl(ctx, args...); err != nil {
			return err
		}
	}
	ip, err := d.serviceIP(ctx, system, "leeway")
	d.leewayURL = "http://" + ip + ":9096"
	return err
}

func (d *demo) serviceIP(ctx context.Context, ns, name string) (string, error) {
	var s corev1.Service
	err := d.kube.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &s)
	return s.Spec.ClusterIP, err
}

func (d *demo) installExample(ctx context.Context) error {
	if _, err := d.kubectl(ctx, "apply", "-k", "examples/flights/manifests"); err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "rollout", "status", "-n", namespace, "deployment/s3", "--timeout=60s"); err != nil {
		return err
	}
	ip, err := d.serviceIP(ctx, namespace, "s3")
	if err != nil {
		return err
	}
	d.s3["AWS_ENDPOINT_URL"] = "http://" + ip + ":7070"
	for k, v := range d.s3 {
		if err := os.Setenv(k, v); err != nil {
			return err
		}
	}
	if d.store, err = bucket.New(ctx); err != nil {
		return err
	}
	return until(ctx, 20*time.Second, "the S3 server answers", func() error { return d.store.Create(ctx, retrain.Models) })
}

func (d *demo) firstVersion(ctx context.Context) error {
	flights, err := data.Load()
	if err != nil {
		return err
	}
	_, d.rows.winter = data.Winter.Split(flights, 1)
	d.rows.summerFirst, d.rows.summerThen = data.Summer.Split(flights, 1)
	december, rest := data.December.Split(flights, 1) // no version is trained on any of it
	d.rows.december = append(december, rest...)
	d.versions = map[string]release{}
	return d.register(ctx, "winter", data.Winter, nil, nil)
}

// register trains on a season, spoils the model if asked to, and registers it
// as a team's pipeline would.
//
// With a version in service to compare with, that one is evaluated on the same
// held-out rows, for the gate.
func (d *demo) register(ctx context.Context, name string, season data.Season, spoil func(*model.Model), inService *model.Model) error {
	flights, err := data.Load()
	if err != nil {
		return err
	}
	train, held := season.Split(flights, 1)
	csv, profile := filepath.Join(d.out, name+".csv"), filepath.Join(d.out, name+".profile.json")
	v, err := retrain.Train(train, held, csv)
	if err != nil {
		return err
	}
	if spoil != nil {
		m, err := model.Parse(v.Artifact)
		if err != nil {
			return err
		}
		spoil(m)
		if v.Artifact, err = json.Marshal(m); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(v.Artifact)
	uri := retrain.Models + name + "-" + hex.EncodeToString(sum[:6]) + ".json"
	if err := d.store.Put(ctx, uri, v.Artifact); err != nil {
		return err
	}
	if _, err := d.leeway(ctx, "profile", csv, "--label", data.Label, "--prediction", retrain.Prediction, "-o", profile); err != nil {
		return err
	}
	args := []string{"register", "--store", "kube:" + namespace, "--model", "flights", "--artifact", uri,
		"--profile", profile, "--metric", fmt.Sprintf("mae=%.6f", v.MAE), "--dataset-name", name, "--dataset-rows", fmt.Sprint(v.Rows)}
	if inService != nil {
		args = append(args, "--evaluation", fmt.Sprintf("self@holdout:mae=%.6f", v.MAE),
			"--evaluation", fmt.Sprintf("%s@holdout:mae=%.6f", d.versions["summer"].number, inService.MeanAbsoluteError(held)))
	}
	number, err := d.leeway(ctx, args...)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(b)
	d.versions[name] = release{number, uri, "sha256:" + hex.EncodeToString(digest[:])}
	return nil
}

// deploy applies the model's manifest for a version, with kubectl.
func (d *demo) deploy(ctx context.Context, r release) error {
	b, err := os.ReadFile("examples/flights/manifests/model.yaml")
	if err != nil {
		return err
	}
	manifest := os.Expand(string(b), func(name string) string {
		return map[string]string{"VERSION": r.number, "MODEL_URI": r.uri, "PROFILE_DIGEST": r.digest}[name]
	})
	path := filepath.Join(d.out, "model-"+r.number+".yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o644); err != nil {
		return err
	}
	_, err = d.kubectl(ctx, "apply", "-f", path)
	return err
}

func (d *demo) deployFirst(ctx context.Context) error {
	if err := d.deploy(ctx, d.versions["winter"]); err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "rollout", "status", "-n", namespace, "deployment/flights", "--timeout=90s"); err != nil {
		return err
	}
	_, err := d.kubectl(ctx, "apply", "-f", "examples/flights/manifests/guard.yaml")
	return err
}

// serving says which version the Deployment names, and whether all its pods,
// and no others, are ready.
func (d *demo) serving(ctx context.Context) (version string, settled bool, err error) {
	var w appsv1.Deployment
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "flights"}, &w); err != nil {
		return "", false, err
	}
	s := w.Status
	settled = s.ObservedGeneration >= w.Generation && s.UpdatedReplicas == *w.Spec.Replicas && s.Replicas == s.UpdatedReplicas && s.AvailableReplicas == s.Replicas
	return w.Spec.Template.Labels["leeway.dev/version"], settled, nil
}

// settle waits until a version, and nothing else, serves.
func (d *demo) settle(ctx context.Context, version string, timeout time.Duration) error {
	return until(ctx, timeout, "version "+version+" is rolled out", func() error {
		v, settled, err := d.serving(ctx)
		if err == nil && (v != version || !settled) {
			err = fmt.Errorf("version %s serves (rolled out: %v)", v, settled)
		}
		return err
	})
}

// until tries until there is no error.
func until(ctx context.Context, timeout time.Duration, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s until %s: %w", timeout, strings.TrimSpace(what), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
