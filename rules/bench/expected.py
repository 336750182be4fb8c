"""Rows on which the error that is expected without labels is compared: scores of
classifiers on reference rows and on windows of live rows, what NannyML's CBPE
estimates of each window, and what is true.

    python expected.py FOLDER SEED GROUP

writes FOLDER/cases.json, and beside it for each case the reference rows (CSV,
with labels) and the scores of the live rows (float64, row by row, without).
GROUP is binary, rare or four (classes), whose probabilities are known; or
flights, delays or bikes, read from this repository, whose path is the working
folder.
"""
import json
import os
import sys
import warnings

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
warnings.filterwarnings("ignore")
import nannyml  # noqa: E402

TRAINING, REFERENCE = 5_000, 10_000
SIZES = {500: 4, 2_000: 2, 10_000: 1}  # rows of a window, and windows of each shift


def rows(rng, n):
    x = rng.normal(size=(n, 6))
    x[:, 1] = 0.6 * x[:, 0] + 0.8 * x[:, 1]  # correlated, which naive Bayes takes no account of
    x[:, 5] = 0.8 * x[:, 2] + 0.6 * x[:, 5]
    return x


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def binary(x, base=0.0):
    logit = base + 1.2 * x[:, 0] - 0.8 * x[:, 3] + 0.9 * x[:, 2] * x[:, 1] + 0.5 * (x[:, 4] ** 2 - 1)
    return softmax(np.stack([np.zeros(len(x)), logit], axis=1))


def rare(x):
    return binary(x, -4.0)


def four(x):
    return softmax(1.2 * np.stack([x[:, 0] + x[:, 1], x[:, 2] - x[:, 3], x[:, 4] ** 2 - 1 + x[:, 3], x[:, 2] * x[:, 0]], axis=1))


def shifts():
    def moved(to, by):
        def move(x):
            x = x.copy()
            x[:, to] += by
            return x
        return move

    def narrow(x):
        x = x.copy()
        x[:, [0, 1, 2]] *= 0.4
        return x

    return {
        "none": lambda x: x,
        "mild": moved([0, 1], 0.5),
        "strong": moved([0, 1], 1.5),
        "harder": narrow,
        "new region": moved([0, 2, 3], [3.0, -2.0, 2.0]),
    }


class Truth:
    """The probabilities themselves."""

    def __init__(self, probabilities):
        self.predict_proba = probabilities

    def fit(self, x, y):
        return self


class Tempered:
    """A classifier whose logarithms of probabilities are times a factor."""

    def __init__(self, of, factor):
        self.of, self.factor = of, factor

    def fit(self, x, y):
        self.of.fit(x, y)
        return self

    def predict_proba(self, x):
        return softmax(self.factor * np.log(np.clip(self.of.predict_proba(x), 1e-9, 1)))


class Quadratic(PolynomialFeatures):
    """Squares and products of a few columns; of many they would be too many."""

    def fit(self, x, y=None):
        self.degree = 2 if x.shape[1] < 10 else 1
        return super().fit(x, y)


def logistic():
    return make_pipeline(StandardScaler(), Quadratic(), LogisticRegression(max_iter=1000))


def boosting():
    return HistGradientBoostingClassifier(max_iter=80, learning_rate=0.1, max_leaf_nodes=15, early_stopping=False)


def classifiers():
    """Name, whether it is calibrated, and the classifier."""
    return [
        ("logistic", True, logistic()),
        ("boosting, isotonic", True, CalibratedClassifierCV(boosting(), method="isotonic", cv=5)),
        ("naive Bayes", False, GaussianNB()),
        ("boosting, overfitted", False, HistGradientBoostingClassifier(max_iter=200, learning_rate=0.3, max_leaf_nodes=63, early_stopping=False)),
        ("random forest", False, RandomForestClassifier(60, n_jobs=1)),
        ("sharpened ×3", False, Tempered(logistic(), 3)),
        ("flattened ÷3", False, Tempered(logistic(), 1 / 3)),
    ]


class Writer:
    def __init__(self, folder):
        self.folder, self.cases = folder, []

    def add(self, group, classifier, calibrated, reference, labels, windows):
        """reference: scores by class; windows: (shift, scores, wrong as a function of answers)."""
        k = reference.shape[1]
        n = len(self.cases)
        names = [f"p_{c}" for c in range(k)]
        columns = ["p_1"] if k == 2 else names

        def frame(p):
            f = pd.DataFrame(p[:, 1:] if k == 2 else p, columns=columns)
            f["answer"] = (p[:, 1] >= 0.5).astype(int) if k == 2 else p.argmax(axis=1)
            return f

        known = frame(reference)
        known["label"] = labels
        known["row"] = range(len(known))  # a profile wants a feature
        known[["row"] + columns + ["label"]].to_csv(f"{self.folder}/reference-{n}.csv", index=False)
        cbpe = nannyml.CBPE(
            problem_type="classification_binary" if k == 2 else "classification_multiclass",
            y_pred_proba="p_1" if k == 2 else {c: names[c] for c in range(k)},
            y_pred="answer", y_true="label", metrics=["accuracy"], chunk_number=10,
        ).fit(known)
        case = {"group": group, "classifier": classifier, "calibrated": calibrated, "columns": columns, "windows": []}
        with open(f"{self.folder}/scores-{n}.f64", "wb") as f:
            for shift, p, wrong in windows:
                live = frame(p)
                cbpe.chunker = nannyml.chunk.SizeBasedChunker(len(live))
                theirs = cbpe.estimate(live).filter(period="analysis").to_df()[("accuracy", "value")].to_numpy()
                assert len(theirs) == 1, theirs
                live[columns].to_numpy(np.float64).tofile(f)
                case["windows"].append({"shift": shift, "rows": len(p), "true": float(wrong(live.answer.to_numpy()).mean()), "cbpe": 1 - float(theirs[0])})
        self.cases.append(case)

    def close(self):
        with open(f"{self.folder}/cases.json", "w") as f:
            json.dump({"nannyml": nannyml.__version__, "cases": self.cases}, f)


def generated(writer, rng, group, probabilities):
    def labels(x):
        return (probabilities(x).cumsum(axis=1) < rng.random((len(x), 1))).sum(axis=1)

    x = rows(rng, TRAINING)
    y = labels(x)
    reference = rows(rng, REFERENCE)
    truth = labels(reference)
    live = []
    for shift, change in shifts().items():
        for size, count in SIZES.items():
            live += [(shift, change(rows(rng, size))) for _ in range(count)]
    for name, calibrated, c in [("the truth itself", True, Truth(probabilities))] + classifiers():
        c.fit(x, y)
        # What is true of a window is the probability of being wrong on its rows, which no draw of labels blurs.
        windows = [(shift, c.predict_proba(x), lambda answers, x=x: 1 - probabilities(x)[np.arange(len(x)), answers]) for shift, x in live]
        writer.add(group, name, calibrated, c.predict_proba(reference), truth, windows)


def frequent(column, most=20):
    """Columns of 0 and 1 for the most frequent categories."""
    return np.stack([column == c for c in column.value_counts().index[:most]], axis=1).astype(float)


def flights():
    f = pd.read_csv("registry/profile/testdata/flights-8000-per-month.csv.gz")
    f["delay"] = pd.read_csv("registry/bench/data/delays.csv.gz").arr_delay
    f = f[f.temp.notna()].reset_index(drop=True)
    numbers = f[["sched_dep_min", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]]
    x = np.hstack([numbers.fillna(numbers.median()).to_numpy(float), frequent(f.carrier), frequent(f.dest), frequent(f.origin)])
    subsets = {
        "evening": f.sched_dep_min > 17 * 60, "morning": f.sched_dep_min < 9 * 60, "bad weather": (f.visib < 5) | (f.precip > 0),
        "summer": f.month.isin([6, 7]), "autumn": f.month.isin([9, 10, 11]),
    }
    return f, x, subsets, f.month <= 5


def bikes():
    f = pd.read_csv("registry/bench/data/bikes.csv.gz")
    numbers = f[["hour", "temp", "felt", "humidity", "wind"]]
    x = np.hstack([numbers.fillna(numbers.median()).to_numpy(float), frequent(f.weekday), frequent(f.workingday), frequent(f.weather)])
    year = pd.to_datetime(f.date)
    subsets = {
        "night": f.hour < 6, "rush hours": f.hour.isin([7, 8, 17, 18]) & (f.workingday == "Yes"), "weekend": f.workingday == "No",
        "cold": f.temp < 8, "hot": f.temp > 26,
    }
    return f, x, subsets, year < "2011-12-01"


def real(writer, rng, group):
    """Windows of subsets of rows that were put aside at random, where only the
    inputs move; and windows of what came later, where the truth may move too."""
    f, x, subsets, early = {"flights": flights, "delays": flights, "bikes": bikes}[group]()
    if group == "flights":
        y = (f.delay > 15).to_numpy(int)
    elif group == "delays":
        y = np.digitize(f.delay, [-15, 0, 15])
    else:
        y = np.digitize(f.rentals, [40, 142, 281])
    parts = rng.permutation(len(x))
    a, b = (TRAINING, TRAINING + REFERENCE) if len(x) > 40_000 else (len(x) // 3, 2 * len(x) // 3)
    aside = parts[b:]
    windows = []
    for name, wanted in [("none", np.ones(len(x), bool))] + [(k, v.to_numpy()) for k, v in subsets.items()]:
        rows = aside[wanted[aside]]
        for size, count in SIZES.items():
            windows += [(name, rows[i * size:(i + 1) * size]) for i in range(min(count, len(rows) // size))]
    run(writer, rng, group, x, y, parts[:a], parts[a:b], windows)

    past = rng.permutation(np.flatnonzero(early))
    future = np.flatnonzero(~early)
    a, b = min(TRAINING, len(past) // 2), min(TRAINING + REFERENCE, len(past))
    windows = []
    for size, count in SIZES.items():
        starts = rng.integers(0, max(len(future) - size, 1), count)
        windows += [("later", future[at:at + size]) for at in starts if size <= len(future)]
    run(writer, rng, group, x, y, past[:a], past[a:b], windows)


def run(writer, rng, group, x, y, training, reference, windows):
    for name, calibrated, c in classifiers():
        c.fit(x[training], y[training])
        live = [(shift, c.predict_proba(x[rows]), lambda answers, rows=rows: answers != y[rows]) for shift, rows in windows]
        writer.add(group, name, calibrated, c.predict_proba(x[reference]), y[reference], live)


def main():
    folder, seed, group = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    rng = np.random.default_rng(seed)
    np.random.seed(seed)
    writer = Writer(folder)
    if probabilities := {"binary": binary, "rare": rare, "four": four}.get(group):
        generated(writer, rng, group, probabilities)
    else:
        real(writer, rng, group)
    writer.close()


main()
