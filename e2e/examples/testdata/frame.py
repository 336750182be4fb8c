"""Describes a frame by examples/python, and writes its rows as CSV: frame.py FOLDER."""
import sys

import leeway_profile
import numpy as np
import pandas as pd

rng, rows = np.random.default_rng(1), 5000
frame = pd.DataFrame({
    "tiny": rng.normal(0, 1e-8, rows),
    "few": rng.integers(0, 5, rows),
    "price": np.round(rng.exponential(30, rows), 2),
    "huge": rng.normal(0, 1e22, rows),
    "constant": 3.5,
    "zero": np.where(rng.random(rows) < 0.5, -0.0, 1.0),
    "flag": rng.integers(0, 2, rows),
    "color": rng.choice(["red", "a<&>b", 'ü"q\\', "", " NA ", "null"], rows),
    "word": rng.choice([f"word{i}" for i in range(1500)], rows),
    "yes": rng.random(rows) < 0.3,
    "long": ["n" * (i % 300) + "!" for i in range(rows)],
    "id": np.arange(rows),
    "score": np.round(rng.random(rows), 4),
    "class": rng.choice(["a", "b"], rows),
    "rare": np.round(rng.beta(0.3, 5, rows), 5),
})
frame.loc[::7, "price"] = np.nan
folder = sys.argv[1]
frame.to_csv(f"{folder}/frame.csv", index=False)
print(leeway_profile.write(frame, f"{folder}/python.json", predictions=["score", "class", "rare"], ignore=["id"]))
