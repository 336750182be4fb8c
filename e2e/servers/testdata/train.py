"""Trains the models of these tests: train.py FOLDER

Rides of a taxi and how many minutes they take. `numbers` is a model of the four
columns of numbers, `mixed` has the weather too. Each gets a folder with
model.joblib and train.csv, which has the model's own answers in the column
minutes."""

import pathlib
import sys

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

NUMBERS = ["distance", "hour", "passengers", "temperature"]


def rides(rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    dice = np.random.default_rng(1)
    x = pd.DataFrame({
        "distance": dice.lognormal(1, 0.7, rows).round(2),
        "hour": dice.integers(0, 24, rows).astype(float),
        "passengers": dice.choice([1.0, 2, 3, 4], rows, p=[0.6, 0.2, 0.1, 0.1]),
        "temperature": dice.normal(11, 8, rows).round(1),
        "weather": dice.choice(["dry", "rain", "snow"], rows, p=[0.6, 0.3, 0.1]),
    })
    slow = x["weather"].map({"dry": 1, "rain": 1.2, "snow": 1.7})
    rush = 1 + 0.4 * x["hour"].between(7, 9) + 0.3 * x["hour"].between(16, 18)
    return x, (3 * x["distance"] * slow * rush + dice.normal(4, 1, rows)).to_numpy()


def main(folder: pathlib.Path) -> None:
    x, minutes = rides(4000)
    boosting = HistGradientBoostingRegressor(max_iter=30, random_state=1)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    for name, columns, model in [
        # Of arrays, as the tensors of the V2 protocol are.
        ("numbers", NUMBERS, boosting.fit(x[NUMBERS].to_numpy(), minutes)),
        ("mixed", list(x), make_pipeline(
            make_column_transformer((encoder, ["weather"]), remainder="passthrough"),
            HistGradientBoostingRegressor(max_iter=30, random_state=1)).fit(x, minutes)),
    ]:
        at = folder / name
        at.mkdir(parents=True)
        joblib.dump(model, at / "model.joblib")
        data = x[columns]
        answers = model.predict(data.to_numpy() if name == "numbers" else data)
        data.assign(minutes=answers).to_csv(at / "train.csv", index=False)


main(pathlib.Path(sys.argv[1]))
