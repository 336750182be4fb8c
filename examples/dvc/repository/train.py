"""Trains the model, and writes its rows with what it says of them itself: their
profile is the reference of its predictions."""

import csv
import json

from ruamel.yaml import YAML

from model import COLUMNS, fit, predict, read

with open("params.yaml") as f:
    ridge = YAML(typ="safe").load(f)["ridge"]
rows = read("data/train.csv")
weights = fit(rows, ridge)
with open("model.json", "w") as f:
    json.dump({"weights": weights}, f)
with open("data/predicted.csv", "w", newline="") as f:
    out = csv.DictWriter(f, COLUMNS + ["predicted"], lineterminator="\n")
    out.writeheader()
    out.writerows({**r, "predicted": f"{predict(weights, r):.3f}"} for r in rows)
