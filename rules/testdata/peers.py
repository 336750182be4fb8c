#!/usr/bin/env python3
"""Writes peers-PACKAGE.json: what Evidently and NannyML say of the bin counts of
golden.json, and of the flights of registry/profile's scipy-distances.json.

A row is given to a package as the name of its bin, so that it can't bin
otherwise. Run by hand when a case is added, with each package in an environment
of its own:

    P="numpy==1.26.4 pandas==2.3.3 scipy==1.13.1 scikit-learn==1.5.2"
    python3 -m venv ev && ev/bin/pip install evidently==0.7.23 $P
    python3 -m venv nm && nm/bin/pip install nannyml==0.13.1 $P statsmodels==0.15.0 category-encoders==2.6.4
    ev/bin/python rules/testdata/peers.py evidently
    nm/bin/python rules/testdata/peers.py nannyml
"""
import json
import os
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd
import scipy
from scipy.stats import chi2

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
PROFILE = HERE / "../../registry/profile/testdata"


def rows(counts):
    names = np.array([f"{i:02d}" for i in range(len(counts))], object)
    return pd.DataFrame({"bin": np.repeat(names, counts)})


def evidently(methods):
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    definition = DataDefinition(categorical_columns=["bin"])

    def calculate(reference, live):
        # g_test takes the reference's counts for what is expected, and so wants as many rows.
        some = [m for m in methods if m != "g_test" or len(reference) == len(live)]
        report = Report([ValueDrift(column="bin", method=m) for m in some])
        result = report.run(Dataset.from_pandas(live, definition), Dataset.from_pandas(reference, definition))
        return {m: float(x["value"]) for m, x in zip(some, result.dict()["metrics"], strict=True)}

    return calculate


def nannyml(methods):
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    from nannyml import UnivariateDriftCalculator

    def calculate(reference, live):
        c = UnivariateDriftCalculator(["bin"], treat_as_categorical=["bin"], categorical_methods=methods, chunk_size=len(live))
        result = c.fit(reference).calculate(live).filter(period="analysis").to_df()
        assert len(result) == 1, len(result)
        return {m: float(result[("bin", m, "value")].iloc[0]) for m in methods}

    return calculate


def main(package):
    methods = {
        "evidently": ["jensenshannon", "psi", "hellinger", "g_test"],
        "nannyml": ["jensen_shannon", "hellinger", "chi2", "l_infinity"],
    }[package]
    calculate = {"evidently": evidently, "nannyml": nannyml}[package](methods)
    version = __import__(package).__version__
    golden = json.loads((HERE / "golden.json").read_text())
    columns = {}
    for c in golden["columns"]:
        if sum(c["live"]) == 0:
            continue  # nothing to compare
        reference = np.rint(np.array(c["ratio"]) * c["rows"]).astype(int)
        columns[c["name"]] = calculate(rows(reference), rows(c["live"]))
    out = {"versions": {package: version, "scipy": scipy.__version__}, "columns": columns}
    if package == "evidently":
        # The two-sample G is the sum of two one-sample ones against both samples together, of equally many rows.
        a, b = np.array([20, 60, 100, 140, 180, 0]), np.array([100, 100, 100, 100, 98, 2])
        p = [calculate(rows((a + b) // 2), rows(x))["g_test"] for x in (a, b)]
        df = len(a) - 1
        out["equal"] = {"live": a.tolist(), "reference": b.tolist(), "g": float(sum(chi2.isf(p, df)))}
    write(HERE / f"peers-{package}.json", out)

    # Distances of the flights of a month from a version's training rows.
    references = json.loads((PROFILE / "references.json").read_text())
    distances = json.loads((PROFILE / "scipy-distances.json").read_text())
    method = methods[0]
    calculate = {"evidently": evidently, "nannyml": nannyml}[package]([method])
    flights = {
        v: {
            month: {
                c["name"]: calculate(rows([b["count"] for b in c["bins"]]), rows(found[c["name"]]["counts"]))[method]
                for c in references[v]
            }
            for month, found in months.items()
        }
        for v, months in distances.items()
    }
    write(PROFILE / f"{package}-distances.json", {"versions": out["versions"], "method": method, "distances": flights})


def write(path, data):
    path.write_text(json.dumps(data, indent=1) + "\n")


main(sys.argv[1])
