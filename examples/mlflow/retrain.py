"""One training, as the Job does it: `mlflow run` on the rows of the window, and
what comes out registered, once. Killed and run again for the same decision, it
goes on with the run that has finished.

Without LEEWAY_PARENT_VERSION it makes the first version of a model."""

import datetime
import json
import os
import subprocess
import sys
import tempfile

import mlflow

PROJECT = os.environ.get("PROJECT", "/project")
METRICS = ["mae", "rmse"]


def leeway(*args):
    return subprocess.run(["leeway", *args], check=True, stdout=subprocess.PIPE, text=True).stdout


def finished(client, model, decision):
    """The run of the decision that has come to its end, if there is one."""
    experiment = client.get_experiment_by_name(model)
    if experiment is None:
        return None
    runs = client.search_runs(
        [experiment.experiment_id],
        filter_string=f"attributes.run_name = '{decision}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time ASC"],
    )
    return runs[0] if runs else None


def train(model, decision, parent):
    """`mlflow run`, in this environment: the image has all that the project needs."""
    window = {
        "since": os.environ.get("LEEWAY_WINDOW_FROM", "1970-01-01T00:00:00Z"),
        "until": os.environ.get("LEEWAY_WINDOW_TO", datetime.datetime.now(datetime.UTC).isoformat()),
    }
    args = {"rows": os.environ["LABELLED_ROWS"], **window}
    if parent:
        args["live"] = json.loads(leeway("show", model, parent, "-o", "json"))["artifact"]["uri"]
    command = ["mlflow", "run", PROJECT, "--env-manager", "local", "--experiment-name", model, "--run-name", decision]
    for name, value in args.items():
        command += ["-P", f"{name}={value}"]
    subprocess.run(command, check=True)


def in_mlflow(client, model, run, artifact):
    """The version of MLflow's model registry, which people look at."""
    there = client.search_model_versions(f"name = '{model}' and run_id = '{run.info.run_id}'")
    return there[0] if there else mlflow.register_model(artifact, model)


def main():
    model, parent = os.environ["LEEWAY_MODEL"], os.environ.get("LEEWAY_PARENT_VERSION", "")
    decision = os.environ.get("LEEWAY_DECISION") or "by-hand-" + datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    client = mlflow.MlflowClient()
    os.chdir(tempfile.mkdtemp())
    if finished(client, model, decision) is None:
        train(model, decision, parent)
    run = finished(client, model, decision)
    logged = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    bridge = os.environ.get("LEEWAY_STORE", "").startswith("mlflow+")
    listed = None if bridge else in_mlflow(client, model, run, logged.model_uri)

    rows = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="rows.csv", dst_path=".")
    leeway("profile", rows, "--time", "time", "--label", "minutes", "--prediction", "predicted", "--quiet", "-o", "train.json")
    register = [
        "register", "--artifact", logged.artifact_location.rstrip("/") + "/", "--profile", "train.json", "--run", run.info.run_id,
        "--dataset-name", "labelled", "--dataset-uri", run.data.params["rows"],
    ]
    for name in METRICS:
        register += ["--metric", f"{name}={run.data.metrics[name]}", "--evaluation", f"self@holdout:{name}={run.data.metrics[name]}"]
        if parent:
            register += ["--evaluation", f"{parent}@holdout:{name}={run.data.metrics['live_' + name]}"]
    version = leeway(*register).strip()
    if listed:
        client.set_model_version_tag(model, listed.version, "leeway.version", version)
    print(f"registered version {version} of {model}, run {run.info.run_id}" + (f", version {listed.version} in MLflow" if listed else ""))


try:
    main()
except subprocess.CalledProcessError as e:
    sys.exit(f"{e.cmd[0]} {e.cmd[1]} has failed, with status {e.returncode}; what it said is above. Nothing was registered.")
