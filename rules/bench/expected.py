"""Rows on which the error that is expected without labels is compared: scores of
classifiers on reference rows and on windows of live rows, what NannyML's CBPE
estimates of each window, and what is true.

    python expected.py FOLDER SEED GROUP

writes FOLDER/cases.json, and beside it for each case the reference rows (CSV,
with labels) and the scores of the live rows (float64, row by row, without).
GROUP is one of the data sets below; REAL ones read FLIGHTS, DELAYS and BIKES.
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


def logistic():
    return make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=1000))


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
        case = {"group": group, "classifier": classifier, "calibrated": calibrated, "columns": columns, "windows": [],
                "referenceError": float((known.answer != known.label).mean())}
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


def main():
    folder, seed, group = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    rng = np.random.default_rng(seed)
    np.random.seed(seed)
    writer = Writer(folder)
    generated(writer, rng, group, {"binary": binary, "rare": rare, "four": four}[group])
    writer.close()


main()
