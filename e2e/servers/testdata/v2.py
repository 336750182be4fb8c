"""Requests and answers of the V2 protocol, as JSON and as tritonclient has them."""

import importlib

import numpy as np
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from client import COLUMNS, exchange

TYPES = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64, "BYTES": np.object_}


def tensor(rows, datatype="FP64", nested=False):
    """All columns as one tensor."""
    data = rows if nested else [value for row in rows for value in row]
    return {"id": "7", "inputs": [{"name": "rides", "shape": [len(rows), len(rows[0])], "datatype": datatype, "data": data}]}


def columns(rows):
    """A tensor for each column, as MLServer makes a data frame of them."""
    return {"id": "7", "parameters": {"content_type": "pd"}, "inputs": [
        {"name": name, "shape": [len(rows), 1], "datatype": "BYTES" if name == "weather" else "FP64", "data": list(values)}
        for name, values in zip(COLUMNS, zip(*rows))]}


def data(answer):
    """The predictions in an answer of HTTP."""
    return [value for output in answer.json()["outputs"] for value in output["data"]]


def array(rows, datatype="FP64"):
    return np.array(rows, TYPES[datatype])


def triton(client, model, inputs, rows, output, binary=None, **options):
    """Has tritonclient send named arrays. binary is for HTTP: whether all tensors are raw."""
    module = importlib.import_module(type(client).__module__.rpartition(".")[0])
    form = {} if binary is None else {"binary_data": binary}
    tensors = []
    for name, values in inputs.items():
        tensors.append(module.InferInput(name, values.shape, np_to_triton_dtype(values.dtype)))
        tensors[-1].set_data_from_numpy(values, **form)
    try:
        answer = client.infer(model, tensors, request_id="7", outputs=[module.InferRequestedOutput(output, **form)], **options)
    except InferenceServerException as error:
        return exchange([error.status(), error.message()], rows)
    found = answer.as_numpy(output)
    return exchange([str(answer.get_response()), found.tobytes().hex()], rows, found.ravel().tolist())
