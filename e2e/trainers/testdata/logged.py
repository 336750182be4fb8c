"""What MLflow has of a version: logged.py MODEL VERSION, which is Leeway's
number, or empty for all."""

import json
import sys

import mlflow

model, number = sys.argv[1:]
client = mlflow.MlflowClient()
found = []
for v in client.search_model_versions(f"name = '{model}'"):
    if not number:
        found.append({"run": v.run_id, "mae": 0})
    elif v.tags.get("leeway.version") == number:
        run = client.get_run(v.run_id)
        logged = client.get_logged_model(run.outputs.model_outputs[0].model_id)
        found.append({
            "run": v.run_id, "name": run.info.run_name, "status": run.info.status,
            "artifact": logged.artifact_location.rstrip("/"), "mae": run.data.metrics["mae"],
        })
print(json.dumps(found))
