# Distances on a profile's own bins, by scipy, for TestScipyDistances:
#
#   go test -run TestScipyDistances -update .     # writes references.json
#   python3 -m venv v && v/bin/pip install numpy scipy pandas
#   (cd testdata && ../v/bin/python distances.py) # writes scipy-distances.json
#
# references.json has the bins (edges, categories, training counts) as the Go
# code made them; the counts of each month, and of the training rows, are made
# here from the CSV file.
import json
import math

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

flights = pd.read_csv("flights-8000-per-month.csv.gz")
held = flights.day % 5 == 0
MONTHS = {"v1-winter": [1, 2], "v3-summer": [6, 7, 8]}


def numbers(bins, values):
    by = {b["name"]: b for b in bins}
    interior = [b for b in bins if b["name"].isdigit()]
    low, high = interior[0]["lower"], interior[-1]["upper"]
    out = []
    for b in bins:
        lower, upper = b.get("lower", -math.inf), b.get("upper", math.inf)
        if b["name"] == "missing":
            n = values.isna().sum()
        elif b["name"] == "far_under":
            n = (values < by["under"]["lower"]).sum()
        elif b["name"] == "far_over":
            n = (values > by["over"]["upper"]).sum()
        elif b["name"] == "over":
            n = ((values > high) & (values <= upper)).sum()
        elif b is interior[-1]:
            n = ((values >= lower) & (values <= upper)).sum()
        else:
            n = ((values >= lower) & (values < upper)).sum()
        out.append(int(n))
    assert low <= high
    return out


def categories(bins, values, known):
    named = [b["category"] for b in bins if "category" in b]
    out = [int((values == c).sum()) for c in named]
    out.append(int((values.isin(known) & ~values.isin(named)).sum()))
    out.append(int((~values.isin(known) & values.notna()).sum()))
    out.append(int(values.isna().sum()))
    return out


golden = {}
for version, columns in json.load(open("references.json")).items():
    train = flights[flights.month.isin(MONTHS[version]) & ~held]
    golden[version] = {}
    for month in [1, 4, 7, 12]:
        rows = flights[flights.month == month]
        golden[version][f"{month:02d}"] = found = {}
        for c in columns:
            bins, values = c["bins"], rows[c["name"]]
            reference = np.array([b["count"] for b in bins], dtype=float)
            if c["type"] == "number":
                assert numbers(bins, train[c["name"]]) == list(reference), c["name"]
                counts = numbers(bins, values)
            else:
                known = set(train[c["name"]].dropna())
                raw = categories(bins, train[c["name"]], known)
                once = int((train[c["name"]].value_counts() == 1).sum())
                raw[-3], raw[-2] = raw[-3] - once, raw[-2] + once  # Good-Turing
                assert raw == list(reference), c["name"]
                counts = categories(bins, values, known)
            found[c["name"]] = {"counts": counts, "distance": float(jensenshannon(reference, counts, base=2))}
        found["mean"] = {"distance": float(np.mean([x["distance"] for x in found.values()]))}
with open("scipy-distances.json", "w") as f:
    json.dump(golden, f, separators=(",", ":"))
    f.write("\n")
