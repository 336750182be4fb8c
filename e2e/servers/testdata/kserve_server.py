"""A model of train.py, served by KServe as its users write it: kserve_server.py --model FILE [flags of KServe]"""

import argparse

import joblib
import numpy as np
from kserve import Model, ModelServer, model_server
from kserve.utils.utils import get_predict_input, get_predict_response


class Rides(Model):
    def __init__(self, path):
        super().__init__("numbers")
        self.model = joblib.load(path)
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        rows = np.asarray(get_predict_input(payload), float)
        return get_predict_response(payload, self.model.predict(rows), self.name)


parser = argparse.ArgumentParser(parents=[model_server.parser])
parser.add_argument("--model")
ModelServer().start([Rides(parser.parse_args().model)])
