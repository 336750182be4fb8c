"""Lets the drift detectors of one package loose on the streams that peers.go has written.

    python peers.py PACKAGE FOLDER COLUMN...

FOLDER/spec.json says what there is, COLUMN which of the columns in it are tried. Each detector is first given the threshold at which it has as many rows between
false alarms as is asked for, on rows that do not change; then it is timed. A line of JSON for each detector, setting and
stream goes to standard output: rows from the change to the alarm for each trial (0: none), and alarms before it.

Detectors that work on windows score one window after another (no overlap), the change anywhere in one. Their threshold is
what a window that does not change is beyond once in rows between false alarms / window: once in 10,000 to 200,000. That is
measured, by splitting (see rare), of p-values too: they are as far from the truth, out there, as any approximation.
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

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

PACKAGE, FOLDER, COLUMNS = sys.argv[1], sys.argv[2], sys.argv[3:]
with open(os.path.join(FOLDER, "spec.json")) as spec_file:
    SPEC = json.load(spec_file)
SIZES, PARTICLES, REFERENCE = SPEC["sizes"], SPEC["particles"], SPEC["reference"]


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


# ---- Windows. A method is a name, whether its score is a p-value, and a function of a calm column's reference that gives a
# function from a list of windows to scores.


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
            ("Kolmogorov-Smirnov", True, method(stattests.ks_stat_test)),
            ("Wasserstein", False, method(stattests.wasserstein_stat_test)),
            ("Jensen-Shannon", False, method(stattests.jensenshannon_stat_test)),
            ("PSI", False, method(stattests.psi_stat_test)),
        ]
    return [
        ("chi-square", True, method(stattests.chi_stat_test)),
        ("Jensen-Shannon", False, method(stattests.jensenshannon_stat_test)),
        ("PSI", False, method(stattests.psi_stat_test)),
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
    return [(title, False, method(name)) for title, name in names]


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
        return [("KSDrift", True, method(KSDrift)), ("CVMDrift", True, method(CVMDrift))]
    return [("ChiSquareDrift", True, method(ChiSquareDrift))]


KEEP = 0.15  # of the particles at each level
MOVES = (0.5, 0.2, 0.1, 0.05)  # parts of the rows that are drawn anew between levels, one after another


def rare(score, rows, references, size, alpha, random):
    """The least value that at most alpha of the scores of windows of rows that do not change are beyond.

    Multilevel splitting (Kahn and Harris 1951; Au and Beck 2001): of many windows those with the highest scores are kept, and
    copied; then parts of their rows are drawn anew, which is undone where the score falls below the level. So they become
    windows like any that are beyond the level, of which the highest are kept again, and so on. score takes the number of
    the reference of each window, and the windows.
    """
    which = np.arange(PARTICLES) % references
    windows = random.choice(rows, (PARTICLES, size))
    scores = score(which, windows)
    share = 1.0
    while share * KEEP > alpha:
        level = least(scores, KEEP)
        beyond = scores > level
        if not beyond.any():  # no score is higher
            return level
        share *= beyond.mean()
        chosen = random.choice(np.flatnonzero(beyond), PARTICLES)
        which, windows, scores = which[chosen], windows[chosen], scores[chosen]
        for part in MOVES:
            drawn = np.where(random.random(windows.shape) < part, random.choice(rows, windows.shape), windows)
            anew = score(which, drawn)
            better = anew > level
            windows[better], scores[better] = drawn[better], anew[better]
    return least(scores, alpha / share)


def least(scores, share):
    """The least score that no more than a share is beyond; but one that some are, if there is one."""
    values, counts = np.unique(scores, return_counts=True)
    beyond = 1 - np.cumsum(counts) / len(scores)
    return values[min(np.searchsorted(-beyond, -share), max(len(values) - 2, 0))]


def windowed(calm, methods):
    for title, is_p, on in methods:
        prepared = [on(r) for r in calm.references]
        scale = (lambda s: -np.log(np.maximum(s, 1e-300))) if is_p else (lambda s: s)

        def scores(which, windows):
            out = np.empty(len(windows))
            for k in np.unique(which):
                out[which == k] = scale(np.array(prepared[k](list(windows[which == k])), float))
            return out

        for size in SIZES:
            random = np.random.default_rng(size)
            threshold = rare(scores, calm.rows, len(prepared), size, size / calm.between, random)
            setting = f"p < {np.exp(-threshold):.1g}" if is_p else f"score > {threshold:.3g}"
            for change in calm.changes:
                delays, early = [], 0
                for k, (at, rows) in enumerate(zip(change["at"], calm.streams(change))):
                    begin = max((at - SPEC["before"]) // size, 0) * size
                    delay = 0
                    while begin + size <= len(rows) and delay == 0:
                        many = min((len(rows) - begin) // size, 16)  # at once, so that little is scored after the alarm
                        windows = rows[begin : begin + many * size].reshape(many, size)
                        for hit in scores(np.full(many, k % len(prepared)), windows) > threshold:
                            begin += size
                            early += hit and begin <= at
                            if hit and begin > at:
                                delay = begin - at
                                break
                    delays.append(delay)
                emit(
                    change=change["name"], package=PACKAGE, detector=title, values=False,
                    setting=setting, variant="", size=size, delays=delays, early=int(early),
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
        windowed(calm, METHODS[PACKAGE](calm.kind))
    print(f"{PACKAGE}: {calm.name}: {time.process_time() - began:.0f} s of processor time", file=sys.stderr, flush=True)
