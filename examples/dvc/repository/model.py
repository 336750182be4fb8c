"""How many minutes a delivery takes: least squares, in plain Python."""

import csv
import json

COLUMNS = ["time", "distance", "parcels", "weather", "minutes"]
WEATHERS = ["rain", "snow"]  # else dry


def read(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def inputs(row):
    return [1.0, float(row["distance"]), float(row["parcels"])] + [float(row["weather"] == w) for w in WEATHERS]


def predict(weights, row):
    return sum(w * x for w, x in zip(weights, inputs(row)))


def fit(rows, ridge):
    """Solves (X'X + ridge) w = X'y by elimination."""
    x, y = [inputs(r) for r in rows], [float(r["minutes"]) for r in rows]
    n = len(x[0])
    a = [
        [sum(r[i] * r[j] for r in x) + ridge * (i == j) for j in range(n)] + [sum(r[i] * t for r, t in zip(x, y))]
        for i in range(n)
    ]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(a[k][i]))
        a[i], a[pivot] = a[pivot], a[i]
        for k in range(n):
            if k != i:
                factor = a[k][i] / a[i][i]
                a[k] = [p - factor * q for p, q in zip(a[k], a[i])]
    return [a[i][n] / a[i][i] for i in range(n)]


def load(path):
    with open(path) as f:
        return json.load(f)["weights"]
