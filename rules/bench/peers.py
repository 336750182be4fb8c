"""Lets the drift detectors of one package loose on the streams that peers.go has written.

    python peers.py PACKAGE FOLDER COLUMN...

FOLDER/spec.json says what there is, COLUMN which of the columns in it are tried. Each detector is first given the threshold at which it has as many rows between
false alarms as is asked for, on rows that do not change; then it is timed. A line of JSON for each detector, setting and
stream goes to standard output: rows from the change to the alarm for each trial (0: none), and alarms before it.

Detectors that work on windows score one window after another (no overlap), the change anywhere in one. Their scores of a
few hundred windows that do not change have a gamma distribution fitted to them, for sums of squares are nearly that: the
threshold is its quantile at window / rows between false alarms. A p-value is its own threshold, which needs no fit.
"""

import importlib.metadata
import json
import logging
import os
import sys
import time
import warnings

import numpy as np
import pandas as pd
from scipy import stats

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

PACKAGE, FOLDER, COLUMNS = sys.argv[1], sys.argv[2], sys.argv[3:]
with open(os.path.join(FOLDER, "spec.json")) as spec_file:
    SPEC = json.load(spec_file)
SIZES, NULLS, REFERENCE = SPEC["sizes"], SPEC["nulls"], SPEC["reference"]


def load(name):
    return np.fromfile(os.path.join(FOLDER, name + ".f8"), "<f8")


def emit(**line):
    print(json.dumps(line), flush=True)


def words(values):
    return np.char.add("c", values.astype(int).astype(str)).astype(object)


class Calm:
    """A column that does not change, and the streams that begin as it does."""

    def __init__(self, spec):
        self.name, self.kind, self.between = spec["name"], spec["kind"], spec["between"]
        self.references = load("references-" + self.name).reshape(-1, REFERENCE)
        self.rows = load("calm-" + self.name)
        self.changes = [c for c in SPEC["changes"] if c["calm"] == self.name]

    def streams(self, change):
        return load(change["file"]).reshape(len(change["at"]), -1)


# ---- Windows. A method is a name, whether its score is a p-value, whether to square the score, and a function of a
# calm column's reference that gives a function from a list of windows to scores.


def evidently_methods(kind):
    from evidently.legacy.calculations import stattests
    from evidently.legacy.core import ColumnType

    column = ColumnType.Numerical if kind == "number" else ColumnType.Categorical
    series = (lambda x: pd.Series(x)) if kind == "number" else (lambda x: pd.Series(words(x)))

    def method(test):
        def on(reference):
            reference = series(reference)
            return lambda windows: [test(reference, series(w), column, None).drift_score for w in windows]

        return on

    if kind == "number":
        return [
            ("Kolmogorov-Smirnov", True, False, method(stattests.ks_stat_test)),
            ("Wasserstein", False, True, method(stattests.wasserstein_stat_test)),
            ("Jensen-Shannon", False, True, method(stattests.jensenshannon_stat_test)),
            ("PSI", False, False, method(stattests.psi_stat_test)),
        ]
    return [
        ("chi-square", True, False, method(stattests.chi_stat_test)),
        ("Jensen-Shannon", False, True, method(stattests.jensenshannon_stat_test)),
        ("PSI", False, False, method(stattests.psi_stat_test)),
    ]


def nannyml_methods(kind):
    import nannyml

    def method(name):
        def on(reference):
            calculators = {}

            def scores(windows):
                rows = np.concatenate(windows)
                data = pd.DataFrame({"x": rows if kind == "number" else words(rows)})
                size = len(windows[0])
                if size not in calculators:
                    options = (
                        {"continuous_methods": [name]}
                        if kind == "number"
                        else {"categorical_methods": [name], "treat_as_categorical": ["x"]}
                    )
                    calculator = nannyml.UnivariateDriftCalculator(column_names=["x"], chunk_size=size, **options)
                    past = reference if kind == "number" else words(reference)
                    calculators[size] = calculator.fit(pd.DataFrame({"x": past}))
                out = calculators[size].calculate(data).filter(period="analysis").to_df()
                return out[("x", name, "value")].to_list()

            return scores

        return on

    if kind == "number":
        names = [("Kolmogorov-Smirnov", "kolmogorov_smirnov"), ("Wasserstein", "wasserstein")]
    else:
        names = [("chi-square", "chi2"), ("L-infinity", "l_infinity")]
    names += [("Jensen-Shannon", "jensen_shannon"), ("Hellinger", "hellinger")]
    return [(title, False, name != "chi2", method(name)) for title, name in names]


def alibi_methods(kind):
    from alibi_detect.cd import ChiSquareDrift, CVMDrift, KSDrift

    def method(detector, **options):
        def on(reference):
            if detector is ChiSquareDrift:
                options["categories_per_feature"] = {0: sorted(set(reference.astype(int).tolist()))}
                reference = reference.astype(int)
            it = detector(reference.reshape(-1, 1), p_val=0.05, **options)
            kind_of = int if detector is ChiSquareDrift else float
            return lambda windows: [float(it.score(w.reshape(-1, 1).astype(kind_of))[0][0]) for w in windows]

        return on

    if kind == "number":
        return [("KSDrift", True, False, method(KSDrift)), ("CVMDrift", True, False, method(CVMDrift))]
    return [("ChiSquareDrift", True, False, method(ChiSquareDrift))]


def windowed(calm, methods, name):
    batch = 16 if name == "nannyml" else 1  # it takes many chunks at once
    for title, is_p, squared, on in methods:
        prepared = [on(r) for r in calm.references]
        for size in SIZES:
            alpha = size / calm.between

            def scores(k, windows):
                out = np.array(prepared[k](windows), float)
                return out**2 if squared else out

            if is_p:
                threshold, beyond = alpha, lambda s: s <= threshold
                setting = f"p < {alpha:.1g}"
            else:
                each = max(NULLS // len(prepared), 1)
                nulls = []
                for k in range(len(prepared)):
                    rows = calm.rows[k * each * size : (k + 1) * each * size].reshape(-1, size)
                    nulls.extend(scores(k, list(rows)))
                mean, variance = np.mean(nulls), np.var(nulls)
                threshold = stats.gamma.isf(alpha, mean * mean / variance, scale=variance / mean)
                beyond = lambda s: s > threshold
                setting = f"score > {np.sqrt(threshold) if squared else threshold:.3g}"
            for change in calm.changes:
                delays, early = [], 0
                for k, (at, rows) in enumerate(zip(change["at"], calm.streams(change))):
                    begin = max((at - SPEC["before"]) // size, 0) * size
                    windows = [rows[i : i + size] for i in range(begin, len(rows) - size + 1, size)]
                    delay, i, step = 0, 0, batch  # so that little is scored after the alarm
                    while i < len(windows) and delay == 0:
                        for j, hit in enumerate(beyond(scores(k % len(prepared), windows[i : i + step]))):
                            end = begin + (i + j + 1) * size
                            if hit and end <= at:
                                early += 1
                            elif hit:
                                delay = end - at
                                break
                        i += step
                    delays.append(delay)
                emit(
                    change=change["name"], package=name, detector=title, values=False,
                    setting=setting, variant="", size=size, delays=delays, early=early,
                )  # fmt: skip


# ---- Value by value. Categories are flags, one detector for each with its share of the false alarms.


def columns_of(calm, rows, codes):
    if calm.kind == "number":
        reference = calm.references[0]
        return [(rows - reference.mean()) / reference.std()]
    if calm.kind == "error":
        return [rows]
    return [(rows == c).astype(float) for c in codes]


def alarms(detector, values):
    """Rows, counted from 1, at which a detector says that there is drift. It begins anew then."""
    for i, v in enumerate(values.tolist(), 1):
        detector.update(v)
        if detector.drift_detected:
            yield i


def between_alarms(make, columns):
    """Mean rows between false alarms of any column, and how many were seen."""
    rate, seen = 0.0, 0
    for values in columns:
        n = 0
        for row in alarms(make(), values):
            n += 1
            if n == 60:
                break
        else:
            row = len(values)
        rate, seen = rate + n / row, seen + n
    return 1 / max(rate, 1e-12), seen


def calibrated(make, settings, wanted, columns):
    """The setting at which a detector has as many rows between false alarms as are asked for.

    The logarithm of these is a straight line over the settings (the threshold of a sum, the logarithm of a probability),
    as theory has it: measured at settings, from sensitive to dull, for as long as there are false alarms to count.
    """
    points = []
    for x in settings:
        between, seen = between_alarms(lambda: make(x), columns)
        if seen < 8 and len(points) >= 2:
            break
        if seen >= 8:
            points.append((x, np.log(between)))
        if between > wanted:
            break
    if len(points) < 2:
        return settings[0], False
    slope, level = np.polyfit(*np.array(points[-4:]).T, 1)
    return (np.log(wanted) - level) / slope, True


def river_detectors(calm):
    """ADWIN, and Page-Hinkley for changes of three sizes.

    Page-Hinkley must not forget (alpha 1): with river's 0.9999 its sum comes to rest far above its smallest value ever, so
    that it gives a false alarm every few ten thousand rows, whatever the threshold.
    """
    from river import drift

    sd = 1.0 if calm.kind == "number" else 0.3
    yield (
        "ADWIN", "", [0.05, 0.4, 1, 2, 3, 4, 5],
        lambda x: drift.ADWIN(delta=np.exp(-x)),
        lambda x: f"delta {np.exp(-x):.1g}",
    )  # fmt: skip
    for part in (0.1, 0.25, 0.5):
        yield (
            "Page-Hinkley", f"delta {part} sd", [k * 0.5 * sd / part for k in (3, 4, 5, 6, 7, 8)],
            lambda x, delta=part * sd: drift.PageHinkley(delta=delta, threshold=x, alpha=1),
            lambda x, delta=part * sd: f"delta {delta:.2g}, threshold {x:.3g}",
        )  # fmt: skip


def sequential(calm):
    codes = sorted(set(calm.references[0].tolist()))
    codes += [max(codes) + 1]
    columns = columns_of(calm, calm.rows[: SPEC["valueRows"]], codes)
    for title, variant, settings, make, say in river_detectors(calm):
        x, reached = calibrated(make, settings, calm.between, columns)
        for change in calm.changes:
            delays, early = [], 0
            for k, (at, rows) in enumerate(zip(change["at"], calm.streams(change))):
                past = calm.references[k % len(calm.references)]
                end = len(past) + at
                first = 0
                for values in columns_of(calm, np.concatenate([past, rows]), codes):
                    for row in alarms(make(x), values[: end + first if first else None]):
                        if row > end:
                            first = row - end
                            break
                        early += row > len(past)
                delays.append(first)
            emit(
                change=change["name"], package="river", detector=title, values=True,
                setting=say(x) + ("" if reached else " (too few false alarms at any setting to fit)"),
                variant=variant, size=0, delays=delays, early=early,
            )  # fmt: skip


def kswin(calm):
    """KSWIN tests at each row, and remembers its window only. How often its p-value goes below a limit is measured where
    that is often, and taken to go on in proportion to the limit."""
    from river import drift

    for window, part in ((100, 30), (300, 100)):
        detector = drift.KSWIN(alpha=0, window_size=window, stat_size=part, seed=1)
        p = []
        for v in calm.rows[: SPEC["kswinRows"]].tolist():
            detector.update(v)
            p.append(detector.p_value)
        p = np.array(p[window:])
        limit = np.quantile(p, 0.02)
        rate = max(np.sum((p[1:] <= limit) & (p[:-1] > limit)), 1) / len(p)
        alpha = limit / rate / calm.between
        for change in calm.changes:
            delays = []
            for at, rows in list(zip(change["at"], calm.streams(change)))[: SPEC["kswinTrials"]]:
                detector = drift.KSWIN(alpha=alpha, window_size=window, stat_size=part, seed=1)
                found = alarms(detector, rows[at - window : at + SPEC["kswinAfter"]])
                delays.append(next((row - window for row in found if row > window), 0))
            emit(
                change=change["name"], package="river", detector="KSWIN", values=True,
                setting=f"alpha {alpha:.1g}", variant=f"{part} of {window}", size=0, delays=delays, early=0,
            )  # fmt: skip


METHODS = {"evidently": evidently_methods, "nannyml": nannyml_methods, "alibi-detect": alibi_methods}

emit(version=importlib.metadata.version(PACKAGE), package=PACKAGE)
for calm_spec in (c for c in SPEC["calms"] if c["name"] in COLUMNS):
    began = time.process_time()
    calm = Calm(calm_spec)
    if PACKAGE == "river":
        sequential(calm)
        kswin(calm)
    else:
        windowed(calm, METHODS[PACKAGE](calm.kind), PACKAGE)
    print(f"{PACKAGE}: {calm.name}: {time.process_time() - began:.0f} s of processor time", file=sys.stderr, flush=True)
