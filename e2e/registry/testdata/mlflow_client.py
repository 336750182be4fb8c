"""What people do with MLflow's own client.

train URL MODEL                 a training run that registers its model; prints the version
alias URL MODEL ALIAS VERSION   move an alias
read URL MODEL VERSION          print what the client sees of a version
"""

import json
import sys

import mlflow

command, url, model, *rest = sys.argv[1:]
mlflow.set_tracking_uri(url)
client = mlflow.MlflowClient()


def double(model_input: list[float]) -> list[float]:
    return [2 * x for x in model_input]


if command == "train":
    mlflow.set_experiment("training")
    with mlflow.start_run():
        mlflow.log_metric("mae", 7.5)
        info = mlflow.pyfunc.log_model(name="model", python_model=double, registered_model_name=model, pip_requirements=[])
    print(info.registered_model_version)
elif command == "alias":
    client.set_registered_model_alias(model, rest[0], rest[1])
elif command == "read":
    version = client.get_model_version(model, rest[0])
    run = client.get_run(version.run_id)
    inputs = run.inputs.dataset_inputs
    source = mlflow.data.get_source(inputs[0]) if inputs else None
    print(json.dumps({
        "source": version.source,
        "status": str(version.status),
        "description": version.description,
        "aliases": list(version.aliases),
        "metrics": run.data.metrics,
        "run": run.info.status,
        "dataset": inputs[0].dataset.name if inputs else "",
        "uri": getattr(source, "uri", ""),
        "context": {t.key: t.value for i in inputs for t in i.tags},
        "columns": [c["name"] for c in json.loads(inputs[0].dataset.schema)["mlflow_colspec"]] if inputs else [],
        "profile": json.loads(inputs[0].dataset.profile)["leeway"]["digest"] if inputs else "",
    }))
