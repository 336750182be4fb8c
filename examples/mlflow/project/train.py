"""How many minutes a delivery takes: trains on labelled rows, evaluates the model
and the one in service on the same held-out rows, and logs all of it."""

import argparse
import sys
import urllib.parse

import boto3
import mlflow
import pandas as pd
import sklearn
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

FEATURES, LABEL = ["distance", "parcels", "weather"], "minutes"
HELD_OUT = 5  # every so manieth row
FEWEST = 100


def labelled(rows, since, until):
    """All rows of the files below a prefix in the bucket, of the window."""
    at = urllib.parse.urlsplit(rows)
    s3, parts = boto3.client("s3"), []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=at.netloc, Prefix=at.path.strip("/") + "/"):
        for o in page.get("Contents", []):
            if o["Key"].endswith(".csv"):
                parts.append(pd.read_csv(s3.get_object(Bucket=at.netloc, Key=o["Key"])["Body"]))
    if not parts:
        sys.exit(f"{rows} holds no CSV file: put labelled rows there")
    all_rows = pd.concat(parts, ignore_index=True).astype({"parcels": float})  # an integer can't be missing
    times = pd.to_datetime(all_rows["time"], utc=True)
    found = all_rows[(times >= pd.Timestamp(since)) & (times <= pd.Timestamp(until))].reset_index(drop=True)
    if len(found) < FEWEST:
        sys.exit(f"{rows} has {len(found)} rows from {since} to {until}, and {FEWEST} are needed: put the labelled rows of that time there")
    return found


def errors(model, held):
    off = model.predict(held[FEATURES]) - held[LABEL]
    return {"mae": round(float(off.abs().mean()), 4), "rmse": round(float((off**2).mean() ** 0.5), 4)}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("rows")
    p.add_argument("since")
    p.add_argument("until")
    p.add_argument("--live", nargs="?", default="")
    o = p.parse_args()
    rows = labelled(o.rows, o.since, o.until)
    held = rows.iloc[::HELD_OUT]
    train = rows.drop(held.index)
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["weather"]), remainder="passthrough"), LinearRegression()
    ).fit(train[FEATURES], train[LABEL])

    with mlflow.start_run():  # the one that `mlflow run` has made
        mlflow.log_input(mlflow.data.from_pandas(train, source=o.rows, name="labelled", targets=LABEL), context="training")
        mlflow.log_metrics(errors(model, held))
        if o.live:
            mlflow.log_metrics({"live_" + k: v for k, v in errors(mlflow.sklearn.load_model(o.live), held).items()})
        # Its rows with what it says of them itself: their profile is the reference
        # of its predictions.
        mlflow.log_text(train.assign(predicted=model.predict(train[FEATURES]).round(3)).to_csv(index=False), "rows.csv")
        needs = [f"scikit-learn=={sklearn.__version__}", f"pandas=={pd.__version__}", "skops"]
        signature = infer_signature(train[FEATURES], model.predict(train[FEATURES]))
        mlflow.sklearn.log_model(model, name="model", signature=signature, serialization_format="skops", pip_requirements=needs)


main()
