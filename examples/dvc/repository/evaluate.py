"""Says how wrong a model is on the rows that were held out: evaluate.py MODEL."""

import json
import sys

from model import load, predict, read

weights, rows = load(sys.argv[1]), read("data/holdout.csv")
errors = [predict(weights, r) - float(r["minutes"]) for r in rows]
metrics = {
    "mae": round(sum(map(abs, errors)) / len(errors), 4),
    "rmse": round((sum(e * e for e in errors) / len(errors)) ** 0.5, 4),
}
with open("metrics.json", "w") as f:
    json.dump(metrics, f, indent=1)
    f.write("\n")
print(sys.argv[1], metrics)
