#!/usr/bin/env python3
"""Writes golden.json: what the drift statistics must be for given bin counts.

Run it by hand when a case is added (numpy, scipy):

    python3 rules/testdata/golden.py > rules/testdata/golden.json

G and its degrees of freedom come from scipy's own contingency table test
(log-likelihood), the distance from scipy's jensenshannon, the mean rank from its
Mann-Whitney U of the rows themselves; z, its critical value
and the way there are the published formulas, and are held here against scipy's
exact tails so that a wrong formula does not pass.
"""
import json
import math
import sys

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, chi2_contingency, mannwhitneyu, norm

# Per column: live counts, reference shares, reference rows, clustering.
CASES = {
    "same": ([104, 96, 99, 101, 100], [0.2, 0.2, 0.2, 0.2, 0.2], 10000, 1),
    "shifted": ([20, 60, 100, 140, 180], [0.2, 0.2, 0.2, 0.2, 0.2], 10000, 1),
    "clustered": ([200, 600, 1000, 1400, 1800], [0.2, 0.2, 0.2, 0.2, 0.2], 10000, 7.5),
    "small_reference": ([31, 40, 29], [0.25, 0.5, 0.25], 60, 1),
    "edges": ([300, 300, 397, 1, 0, 2, 0, 0], [0.3, 0.3, 0.4, 0, 0, 0, 0, 0], 20000, 1),
    "empty_bins": ([0, 500, 0, 0, 500, 0, 0], [0.1, 0.4, 0, 0, 0.5, 0, 0], 5000, 1),
    "missing": ([0, 0, 0, 3000], [0.3, 0.3, 0.39, 0.01], 100000, 10),
    "binary": ([4900, 100], [0.97, 0.03], 50000, 2),
    "skewed": ([9000, 700, 200, 60, 30, 8, 2], [0.9, 0.07, 0.02, 0.006, 0.003, 0.0008, 0.0002], 30000, 1),
    "large": ([101000, 99000, 100500, 99500, 100000, 100200, 99800, 100000, 99700, 100300],
              [0.1] * 10, 2000000, 1),
    "no_rows": ([0, 0, 0], [0.5, 0.3, 0.2], 1000, 1),
}
RANKED = ["same", "shifted", "clustered"]  # numbers, their bins in order
INVERSE_ALPHA = 2160.0  # per column: one false alarm in 90 days, one window of 1 h
HOLD = 6 / 60  # for, as a share of the window


def xlogx(a):
    return a * math.log(max(a, 1e-9))


def deviate(level, df, parts):
    """z, the way there, and the tests that the sliding window is worth."""
    c = max(level, 1.1)
    root = math.sqrt(df * (c - 1 - math.log(c)))
    z = root + math.log((c - 1) * math.sqrt(df / 2) / root) / root
    if 1.1 < level and level * df < 700:  # r* against the exact tail
        exact = norm.isf(chi2.sf(level * df, df))
        assert abs(z - exact) < 0.03, (z, exact)
    # The tail times the tests that a sliding window is worth: theory of a locally
    # Brownian process, and the factor that was measured.
    looks = min(df * (c - 1) ** 2 / (2 * c), 100)
    v = math.sqrt(HOLD * looks)
    tests = 1.23 * 2 * looks * norm.pdf(v) * (1 / v - 4 / (3 * v + math.sqrt(v * v + 8)))
    exact = 1.23 * 2 * looks * (norm.pdf(v) / v - norm.sf(v))
    assert abs(tests / exact - 1) < 0.06 or v > 2, (tests, exact)
    tests = max(tests, 1)
    slid = z - math.log(tests * parts) / root
    if 3 < z < 6:  # a tail, times the tests
        assert abs(norm.sf(slid) / (tests * parts * norm.sf(z)) - 1) < 0.1, (slid, z)
    return slid, tests


def ranks(n, ratio, rows, clustering):
    """Mean rank of each bin, that of the live rows less a half, and the square of its deviate."""
    reference = np.rint(np.array(ratio) * rows).astype(int)
    rank = (np.cumsum(reference) - reference / 2) / rows
    values = np.arange(len(n))
    u = mannwhitneyu(np.repeat(values, n), np.repeat(values, reference)).statistic
    mean = u / (sum(n) * rows) - 0.5
    e = sum(n) / clustering
    return rank, mean, mean**2 / np.dot(ratio, (rank - 0.5) ** 2) / (1 / e + 1 / rows)


def statistics(name, n, ratio, rows, clustering):
    live = n
    n = np.array(n, float)
    ratio = np.array(ratio, float)
    e = n / clustering
    reference = np.where(ratio > 0, ratio * rows, np.where(e > 0, 0.5, 0.0))
    used = e + reference > 0
    df = max(int(used.sum()) - 1, 1)
    if e.sum() > 0:
        g, _, scipy_df, _ = chi2_contingency([e[used], reference[used]], correction=False, lambda_="log-likelihood")
        assert scipy_df == df, (scipy_df, df)
    else:
        g = 0.0
    y = g / df
    discount = 1 + min(max(e.sum() / rows - 0.1, 0), 1)  # the reference has noise that stays
    ranked = name in RANKED
    slid, tests = deviate(y / discount, df, 1 + ranked)
    if n.sum() == 0:  # nothing to compare
        return {"df": df}
    want = {"df": df, "noise_ratio": y, "tests": tests, "js_distance": float(jensenshannon(n, ratio, base=2))}
    if ranked:
        _, want["mean_rank"], square = ranks(live, ratio, rows, clustering)
        want["rank_level"] = square / discount
        want["g_z"], want["rank_z"] = slid, deviate(square / discount, 1, 2)[0]
        slid = max(slid, want["rank_z"])
    else:
        want["g_z"] = slid
    return want | {"z": slid}


def critical(columns):
    alpha = 1 / (INVERSE_ALPHA * columns)
    t = math.sqrt(-2 * math.log(alpha))
    z = t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t**3)
    assert abs(z - norm.isf(alpha)) < 4.5e-4
    return z


json.dump(
    {
        "inverseAlpha": INVERSE_ALPHA,
        "zCritical": critical(len(CASES)),
        "columns": [
            dict(
                name=name, live=n, ratio=ratio, rows=rows, clustering=clustering,
                rank=list(ranks(n, ratio, rows, clustering)[0]) if name in RANKED else None,
                want=statistics(name, n, ratio, rows, clustering),
            )
            for name, (n, ratio, rows, clustering) in CASES.items()
        ],
    },
    sys.stdout,
    indent=1,
)
print()
