"""A training run: reads its parameters and data, writes a model and metrics."""

import json
import sys

from ruamel.yaml import YAML

out = sys.argv[1] if len(sys.argv) > 1 else "model.bin"
params = YAML(typ="safe").load(open("params.yaml"))["train"]
extra = json.load(open("conf/extra.json"))
rows = open("data/train.csv").read().splitlines()[1:]
mean = sum(float(r.split(",")[0]) for r in rows) / len(rows)
rate = params["lr"]
open(out, "w").write(str(rate))
metrics = {
    "mae": mean * rate,
    "by": {"winter": {"mae": 1 + rate, "n": 10 + int(rate * 100)}, "season": params["season"]},
    "ok": rate < 0.2,
    "big": 12345678.123456789 * rate,
    "tiny": 1e-7 * rate,
    "exact": 3,
    "huge": int(1e20 * rate),
    "nothing": float("nan"),
    "list": [1, 2],
    "none": None,
    "beta": extra["opt"]["beta"],
    **({"before": 1} if rate < 0.2 else {"after": 1e22}),
}
json.dump(metrics, open("train.json", "w"))
open("eval.yaml", "w").write(f"auc: {0.9 - rate / 3}\nwords: {'日本' if rate > 0.2 else 'none'}\n")
