"""Selects the labelled rows of the window, and holds some of them out."""

import csv
import glob
import sys
from datetime import datetime

from ruamel.yaml import YAML

from model import COLUMNS, read

FEWEST = 100


def settings(path):
    with open(path) as f:
        return YAML(typ="safe").load(f)


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def main():
    window, every = settings("window.yaml"), settings("params.yaml")["holdout"]
    since, until = instant(window["from"]), instant(window["to"])
    rows = [r for path in sorted(glob.glob("data/labelled/*.csv")) for r in read(path)]
    rows = [r for r in rows if since <= instant(r["time"]) <= until]
    if len(rows) < FEWEST:
        sys.exit(
            f"data/labelled has {len(rows)} rows from {window['from']} to {window['to']}, and {FEWEST} are needed: "
            "add the labelled rows of that time (dvc add data/labelled, dvc push, git push)"
        )
    parts = {"data/train.csv": [], "data/holdout.csv": []}
    for i, row in enumerate(rows):
        parts["data/train.csv" if i % every else "data/holdout.csv"].append(row)
    for path, part in parts.items():
        with open(path, "w", newline="") as f:
            out = csv.DictWriter(f, COLUMNS, extrasaction="ignore", lineterminator="\n")
            out.writeheader()
            out.writerows(part)
    print(f"{len(parts['data/train.csv'])} rows to train on, {len(parts['data/holdout.csv'])} held out")


main()
