// Package retrain makes versions of the example's model: from a season of the
// data, or, as the Job that Leeway starts, from the labelled rows of today.
package retrain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/examples/flights/bucket"
	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/model"
)

// Where the example keeps things.
const (
	Models   = "s3://flights/models/"
	Labelled = "s3://flights/labelled/"
)

// Prediction is the column of the training rows that holds what the model
// itself predicts; its profile is the reference of the predictions.
const Prediction = "prediction"

// Job is one training as Leeway asks for it, from the environment of the Job.
type Job struct {
	Model, Parent, Decision string
	From, To                time.Time
	Store                   string // of the registry, such as kube:
	CLI                     string // path of the leeway program
	Dir                     string // a writable folder
	Log                     func(format string, args ...any)
}

// Version is a trained model and what is to be registered with it.
type Version struct {
	Artifact []byte
	MAE      float64 // minutes, on rows that it was not trained on
	Rows     int
}

// Train makes a version and writes its rows, with its own predictions, as CSV.
func Train(rows, held []data.Flight, csvPath string) (Version, error) {
	m, err := model.Train(rows)
	if err != nil {
		return Version{}, err
	}
	artifact, err := json.Marshal(m)
	if err != nil {
		return Version{}, err
	}
	return Version{artifact, m.MeanAbsoluteError(held), len(rows)}, writeRows(csvPath, m, rows)
}

func writeRows(to string, m *model.Model, rows []data.Flight) error {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.Write(data.Header(Prediction)) // writes to memory do not fail
	for _, f := range rows {
		out.Write(append(f.Record(), strconv.FormatFloat(m.Predict(f), 'f', 3, 64)))
	}
	out.Flush()
	return os.WriteFile(to, b.Bytes(), 0o600)
}

// FromEnv reads what Leeway tells a retraining Job.
func FromEnv(getenv func(string) string) (Job, error) {
	j := Job{Model: getenv("LEEWAY_MODEL"), Parent: getenv("LEEWAY_PARENT_VERSION"), Decision: getenv("LEEWAY_DECISION")}
	var err error
	if j.From, err = time.Parse(time.RFC3339, getenv("LEEWAY_WINDOW_FROM")); err != nil {
		return j, fmt.Errorf("LEEWAY_WINDOW_FROM: %w", err)
	}
	if j.To, err = time.Parse(time.RFC3339, getenv("LEEWAY_WINDOW_TO")); err != nil {
		return j, fmt.Errorf("LEEWAY_WINDOW_TO: %w", err)
	}
	return j, nil
}

// Run trains on the labelled rows that arrived since the trouble began, and
// registers what comes out. It prints the version's number.
func (j Job) Run(ctx context.Context) error {
	store, err := bucket.New(ctx)
	if err != nil {
		return err
	}
	rows, held, err := j.await(ctx, store)
	if err != nil {
		return err
	}
	j.Log("%d labelled rows since %s, and %d held out", len(rows), j.From.Format(time.TimeOnly), len(held))
	train, profile := path.Join(j.Dir, "train.csv"), path.Join(j.Dir, "profile.json")
	v, err := Train(rows, held, train)
	if err != nil {
		return err
	}
	j.Log("mean absolute error on the held-out rows: %.2f minutes", v.MAE)
	predictions := path.Join(j.Dir, "predictions.csv")
	if err := j.evaluate(ctx, store, v, held, predictions); err != nil {
		return err
	}
	sum := sha256.Sum256(v.Artifact)
	uri := Models + j.Model + "-" + hex.EncodeToString(sum[:6]) + ".json"
	if err := store.Put(ctx, uri, v.Artifact); err != nil {
		return err
	}
	if _, err := j.leeway(ctx, "profile", train, "--label", data.Label, "--prediction", Prediction, "-o", profile); err != nil {
		return err
	}
	number, err := j.leeway(ctx, "register", "--store", j.Store, "--model", j.Model, "--artifact", uri, "--profile", profile,
		"--evaluate", predictions, "--parent", j.Parent, "--decision", j.Decision,
		"--dataset-name", "labelled rows", "--dataset-uri", Labelled, "--dataset-rows", strconv.Itoa(v.Rows),
		"--dataset-from", j.From.Format(time.RFC3339), "--dataset-to", time.Now().UTC().Format(time.RFC3339))
	if err != nil {
		return err
	}
	j.Log("registered as version %s", strings.TrimSpace(number))
	return nil
}

// await reads the labelled rows until there are enough of them: labels come
// late, and a model trained on the first few rows of a season is no good.
func (j Job) await(ctx context.Context, store *bucket.Client) (rows, held []data.Flight, err error) {
	deadline := time.Now().Add(waitFor)
	for {
		rows, held, err = j.labelled(ctx, store)
		if err != nil || len(rows) >= enoughRows || time.Now().After(deadline) {
			return rows, held, err
		}
		j.Log("%d labelled rows so far, waiting for %d", len(rows), enoughRows)
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

const (
	enoughRows = 8000
	waitFor    = time.Minute
)

// labelled reads the rows that were asked for since the window began and whose
// labels have come in. Every fifth is held out. An object is named after the
// time of its first row.
func (j Job) labelled(ctx context.Context, store *bucket.Client) (rows, held []data.Flight, err error) {
	objects, err := store.List(ctx, Labelled)
	if err != nil {
		return nil, nil, err
	}
	n := 0
	for _, o := range objects {
		ms, err := strconv.ParseInt(strings.TrimSuffix(path.Base(o.URI), ".csv"), 10, 64)
		if err != nil || time.UnixMilli(ms).Before(j.From) {
			continue
		}
		b, err := store.Get(ctx, o.URI)
		if err != nil {
			return nil, nil, err
		}
		flights, err := data.ReadCSV(bytes.NewReader(b))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", o.URI, err)
		}
		for _, f := range flights {
			if n++; n%5 == 0 {
				held = append(held, f)
			} else {
				rows = append(rows, f)
			}
		}
	}
	return rows, held, nil
}

// evaluate writes what the new version and those before it predict for the rows
// held out: the gate compares the new one with the version in service by them,
// and the registry learns from them which version is at home where.
func (j Job) evaluate(ctx context.Context, store *bucket.Client, v Version, held []data.Flight, to string) error {
	own, err := model.Parse(v.Artifact)
	if err != nil {
		return err
	}
	names, models := []string{"self"}, []*model.Model{own}
	out, err := j.leeway(ctx, "versions", j.Model, "--store", j.Store, "-o", "json")
	if err != nil {
		return err
	}
	var versions []struct {
		Version  string
		Artifact struct{ URI string }
		Lineage  struct{ Decision string }
	}
	if err := json.Unmarshal([]byte(out), &versions); err != nil {
		return fmt.Errorf("leeway versions: %w", err)
	}
	for _, old := range versions {
		if old.Lineage.Decision == j.Decision { // of a first run of this Job: the same content registers once
			continue
		}
		m, err := load(ctx, store, old.Artifact.URI)
		if err != nil {
			if old.Version == j.Parent {
				return fmt.Errorf("version %s, which is in service: %w", old.Version, err)
			}
			j.Log("version %s is not evaluated: %v", old.Version, err)
			continue
		}
		names, models = append(names, old.Version), append(models, m)
	}
	return writePredictions(to, names, models, held)
}

func load(ctx context.Context, store *bucket.Client, uri string) (*model.Model, error) {
	b, err := store.Get(ctx, uri)
	if err != nil {
		return nil, err
	}
	return model.Parse(b)
}

// writePredictions writes what "leeway register --evaluate" reads.
func writePredictions(to string, names []string, models []*model.Model, rows []data.Flight) error {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.Write(append([]string{"actual"}, names...)) // writes to memory do not fail
	for _, f := range rows {
		record := []string{strconv.FormatFloat(f.AirTime, 'g', -1, 64)}
		for _, m := range models {
			record = append(record, strconv.FormatFloat(m.Predict(f), 'f', 3, 64))
		}
		out.Write(record)
	}
	out.Flush()
	return os.WriteFile(to, b.Bytes(), 0o600)
}

func (j Job) leeway(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, j.CLI, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("leeway %s: %w", args[0], err)
	}
	return string(out), nil
}
