"""Saves a model of train.py for MLflow, with a signature: mlflow_model.py MODEL FOLDER"""

import sys

import joblib
import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature

source, folder = sys.argv[1:]
model = joblib.load(source + "/model.joblib")
x = pd.read_csv(source + "/train.csv").drop(columns="minutes")
mlflow.sklearn.save_model(model, folder, signature=infer_signature(x, model.predict(x)), pip_requirements=[], serialization_format="cloudpickle")
