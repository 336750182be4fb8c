"""Describe a pandas frame as a Leeway profile (docs/profile-format.md), for where training runs in Python.

    import leeway_profile
    leeway_profile.write(frame, "train.json", predictions=["score"], ignore=["id"])

The same rows give the same bytes as `leeway profile` does. Left to that program are clustering and blocks in time,
errors by bin, vectors, redacted columns, and categories whose names hold unprintable characters.
"""
import hashlib
import json
import math
import os
import struct
from base64 import b64encode
from decimal import Decimal
from functools import reduce

import numpy as np
import pandas as pd

CATEGORIES, SEEN, NAME = 1000, 50_000, 128  # names kept, hashes kept, bytes of a name


def write(frame, path, predictions=(), ignore=()):
    """Writes the profile whole or not at all, and returns its digest."""
    def column(name):
        numeric = pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
        return numbers(frame[name], name in predictions) if numeric else categories(frame[name])

    features = [c for c in frame.columns if c not in predictions and c not in ignore]
    data = (encode({
        "format": "leeway.dev/profile/v1", "rows": len(frame),
        "features": [column(c) for c in features],
        **({"predictions": [column(c) for c in predictions]} if predictions else {}),
    }) + "\n").encode()
    with open(path + ".tmp", "wb") as f:
        f.write(data)
    os.replace(path + ".tmp", path)
    return "sha256:" + hashlib.sha256(data).hexdigest()


def numbers(series, prediction):
    values = np.sort(series.dropna().to_numpy("float64")) + 0.0  # -0 is 0
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"column {series.name!r}: no values, or infinite ones")
    distinct, counts = np.unique(values, return_counts=True)
    probability = prediction and len(distinct) > 2 and distinct[0] >= 0 and distinct[-1] <= 1
    before = [0, *np.cumsum(counts).tolist()]  # rows before each distinct value
    chosen = cuts(before, 20 if probability else 10)
    ranks = [max(-(-i * len(values) // 1024), 1) - 1 for i in range(1025)]
    if probability:
        chosen = narrowed(chosen, before, distinct, [int(np.searchsorted(before, r, "right")) - 1 for r in ranks])

    def edge(k):  # below distinct[k]
        if k in (0, len(distinct)):
            return distinct[min(k, len(distinct) - 1)]
        a, b = distinct[k - 1], distinct[k]
        middle = a / 2 + b / 2
        return middle if a < middle <= b else b

    bins = [{"name": f"{i:02d}", "lower": edge(a), "upper": edge(b), "count": before[b] - before[a]}
            for i, (a, b) in enumerate(zip(chosen, chosen[1:]))]
    edges = [b["lower"] for b in bins] + [distinct[-1]]
    low, high = distinct[0], distinct[-1]
    width = high - low or max(abs(low), 1.0)
    least, most = max(low - width, -np.finfo(float).max), min(high + width, np.finfo(float).max)
    missing = len(series) - len(values)
    bins += [{"name": "under", "lower": least, "upper": low, "count": 0}, {"name": "over", "lower": high, "upper": most, "count": 0},
             {"name": "far_under", "upper": least, "count": 0}, {"name": "far_over", "lower": most, "count": 0},
             {"name": "missing", "count": missing}]
    digits = b"".join(struct.pack(">d", e + 0.0) for e in [least, *edges, most])
    return {"name": str(series.name), "type": "number", "rows": len(series), "missing": missing,
            **({"probability": True} if probability else {}), **({"binary": True} if len(distinct) == 2 else {}),
            "binning": binning("number", bins, digits), "bins": bins, "quantiles": values[ranks].tolist()}


def narrowed(chosen, before, distinct, quantiles):
    """Cuts a probability's bins that are wider than a tenth of the range, at quantiles."""
    widest, rows = 0.1 * (distinct[-1] - distinct[0]), max(math.ceil(0.005 * before[-1]), 20)
    out = chosen[:1]
    for start, end in zip(chosen, chosen[1:]):
        inside = [k for k in quantiles if start <= k < end]
        if inside:
            low, width = distinct[inside[0]], distinct[inside[-1]] - distinct[inside[0]]
            parts = math.ceil(width / widest)
            for i in range(1, parts):
                k = next((k for k in inside if distinct[k] >= low + width * i / parts and before[k] - before[out[-1]] >= rows), None)
                if k is not None and before[end] - before[k] >= rows:
                    out.append(k)
        out.append(end)
    return out


def cuts(before, n):
    """Where to cut distinct values into about n bins with equally many rows."""
    total, last = before[-1], len(before) - 1
    fixed = {0, last}
    for i in range(last):
        if before[i + 1] - before[i] >= 0.1 * total:
            fixed |= {i, i + 1}
    wanted = {int(np.argmin([abs(b - total * i / n) for b in before])) for i in range(1, n)}
    least, chosen = total / n / 2, []
    for k in sorted(fixed | wanted):
        if k in fixed:
            while chosen and chosen[-1] not in fixed and before[k] - before[chosen[-1]] < least:
                chosen.pop()
            chosen.append(k)
        elif before[k] - before[chosen[-1]] >= least:
            chosen.append(k)
    return chosen


def categories(series):
    texts = series.dropna().astype(object).map(category).dropna()
    rows, missing = len(texts), len(series) - len(texts)
    ranked = sorted(texts.value_counts().items(), key=lambda item: (-item[1], item[0].encode()))
    bins, other, unseen = [], 0, 0
    for i, (text, count) in enumerate(ranked):
        if count >= 20 and count >= 0.005 * rows and i < 30:
            bins.append({"name": f"{i:02d}", "category": text, "count": count})
        elif count == 1 or i >= CATEGORIES + SEEN:
            unseen += count
        else:
            other += count
    bins += [{"name": "other", "count": other}, {"name": "unseen", "count": unseen}, {"name": "missing", "count": missing}]
    kept, rest = ranked[:CATEGORIES], ranked[CATEGORIES:]
    hashes = {reduce(lambda h, b: (h ^ b) * 0x01000193 & 0xFFFFFFFF, t.encode(), 0x811C9DC5) for t, _ in rest[:SEEN]}  # FNV-1a
    seen = b"".join(struct.pack(">I", h) for h in sorted(hashes))
    known = b"\n[" + " ".join(quoted(text) for text in sorted((t for t, _ in kept), key=str.encode)).encode() + b"]" + seen
    return {"name": str(series.name), "type": "category", "rows": len(series), "missing": missing,
            **({"binary": True} if len(ranked) == 2 else {}), "binning": binning("category", bins, known), "bins": bins,
            "categories": [{"name": text, "count": count} for text, count in kept],
            **({"folded": sum(count for _, count in rest), "seen": b64encode(seen).decode()} if rest else {})}


def category(value):
    """The name of a category: of long ones a hash; None of what is missing."""
    text = str(value)
    text = text.lower() if text in ("True", "TRUE", "False", "FALSE") else text
    if text.strip() == "NA" or text.strip().lower() in ("", "nan", "null"):
        return None
    return text if len(text.encode()) <= NAME else "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def binning(kind, bins, rest):
    """Identifies the definition of bins: their names and categories, and their edges or all known categories."""
    text = kind + "".join(f"\n{b['name']} {quoted(b.get('category', ''))}" for b in bins)
    return hashlib.sha256(text.encode() + rest).hexdigest()[:16]


def encode(v):
    """JSON as Go writes it: numbers and texts have one form only."""
    if isinstance(v, dict):
        return "{" + ",".join(f'"{k}":{encode(x)}' for k, x in v.items()) + "}"
    if isinstance(v, list):
        return "[" + ",".join(map(encode, v)) + "]"
    if isinstance(v, str):
        text = json.dumps(v, ensure_ascii=False)
        for c in "<>&\u2028\u2029":
            text = text.replace(c, f"\\u{ord(c):04x}")
        return text
    if isinstance(v, float):
        d = Decimal(repr(float(v))).normalize()
        return f"{d:f}" if v == 0 or 1e-6 <= abs(v) < 1e21 else f"{d:e}"
    return "true" if v is True else str(int(v))

