"""Writes golden.json: the rule of the atlas computed with numpy, as it is in
its description and not as it is in Go. python3 golden.py > golden.json"""

import json

import numpy as np

WIDTHS = [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, np.inf]


def fill(log):
    """Missing cells by version + data set, least squares over what is known."""
    n, m = log.shape
    rows, right = [], []
    for i in range(n):
        for j in range(m):
            if not np.isnan(log[i, j]):
                row = np.zeros(n + m)
                row[i] = row[n + j] = 1
                rows.append(row)
                right.append(log[i, j])
    x = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]
    return np.where(np.isnan(log), x[:n, None] + x[None, n:], log)


def kernel(log, distance, width):
    w = np.exp(-(distance - distance.min()) / width) if np.isfinite(width) else np.ones_like(distance)
    return log @ w / w.sum()


def fit(error, apart, trained):
    log = np.log(error)
    gains = []
    squares, spread, folds = np.zeros(len(WIDTHS)), np.zeros(len(WIDTHS)), 0
    for k in range(log.shape[1]):
        versions = np.flatnonzero(~trained[:, k])
        others = np.delete(np.arange(log.shape[1]), k)
        rest = fill(log[np.ix_(versions, others)])
        has = ~np.isnan(log[versions, k])
        if has.sum() < 2:
            continue
        folds += 1
        gains.append([])
        t = log[versions, k][has]
        t = t - t.mean()
        for h, width in enumerate(WIDTHS):
            p = kernel(rest[has], apart[others, k], width)
            p = p - p.mean()
            squares[h] += ((t - p) ** 2).sum()
            gains[-1].append(((t - p) ** 2).sum())
            spread[h] += np.var(t - p)
    best = max(h for h in range(len(WIDTHS)) if squares[h] == squares.min())
    gain = np.array(gains)[:, -1] - np.array(gains)[:, best]
    used = min(best + 1, len(WIDTHS) - 1)  # for windows the next wider
    t = gain.mean() / (gain.std(ddof=1) / np.sqrt(folds)) if gain.any() else 0.0
    return WIDTHS[used], 1 - squares[best] / squares[-1], np.sqrt(2 * spread[used] / folds), folds, t


def case(rng, name, n, m, tells, missing, level):
    place, home = rng.normal(size=(m, 2)), rng.normal(size=(n, 2))
    home[: min(n, m)] = place[: min(n, m)]
    apart = np.linalg.norm(place[:, None] - place[None], axis=2)
    apart = 0.1 * apart * (1 + 0.2 * rng.random((m, m)))
    np.fill_diagonal(apart, 0)
    error = np.exp(
        tells * np.linalg.norm(home[:, None] - place[None], axis=2)
        + level * rng.normal(size=(1, m)) + 0.1 * rng.normal(size=(n, m)) + 0.2 * rng.normal(size=(n, 1))
    )
    error[rng.random((n, m)) < missing] = np.nan
    trained = np.zeros((n, m), bool)
    for i in range(n):
        trained[i, : i + 1 if i % 4 == 3 and i + 2 < m else 0] = True  # every fourth: all of the past
        if i < m:
            trained[i, i] = True
    width, r2, s, folds, t = fit(error, apart, trained)
    today = 0.1 * np.linalg.norm(place - rng.normal(size=2), axis=1)
    p = kernel(fill(np.log(error)), today, width)
    labels = np.exp(p + 0.3 * rng.normal(size=n))
    rows = 700
    n0 = min(1000, 10 / (s**2 / 2))
    q = (rows * (np.log(labels) - np.log(labels).mean()) + n0 * (p - p.mean())) / (rows + n0)
    null = lambda a: [[None if np.isnan(x) else float(x) for x in row] for row in a]
    return dict(
        name=name, error=null(error), apart=apart.tolist(), trained=trained.tolist(), width=None if np.isinf(width) else width,
        r2=float(r2), s=float(s), datasets=folds, t=float(t), today=today.tolist(), predicted=p.tolist(),
        labels=labels.tolist(), rows=rows, blended=(q + np.log(labels).mean()).tolist(),
    )


rng = np.random.default_rng(2013)
print(json.dumps([
    case(rng, "inputs tell", 12, 12, 0.4, 0, 0.3),
    case(rng, "inputs don't tell", 12, 12, 0, 0, 0.3),
    case(rng, "a fifth is missing", 14, 12, 0.3, 0.2, 1),
    case(rng, "inputs don't tell, a third is missing", 16, 13, 0, 0.33, 1),
    case(rng, "five data sets", 7, 5, 0.4, 0, 0.3),
    case(rng, "more versions than data sets", 20, 9, 0.2, 0.1, 0.5),
], indent=1))
