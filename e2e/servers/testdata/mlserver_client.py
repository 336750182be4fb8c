"""requests, tritonclient and plain gRPC stubs against MLServer."""

import json
import threading

import grpc
import numpy as np
import requests
import tritonclient.grpc
import tritonclient.http
from tritonclient.grpc import service_pb2, service_pb2_grpc

from client import COLUMNS, call, case, concurrently, main, post, rides
from v2 import array, columns, data, tensor, triton

URL = "http://{}/v2/models/{}/infer"


def send(address, body, rows, http=requests, model="numbers", **headers):
    return post(http, URL.format(address, model), body, rows, data, **headers)


def twice(address, body, rows, **options):
    """As it is, and packed."""
    return [send(address, body, rows, **options), send(address, body, rows, Content_Encoding="gzip", **options)]


@case("rest")
def json_flat(address):
    rows = rides(50)
    return twice(address, tensor(rows), rows) + twice(address, tensor(rows, "FP32"), rows) + twice(
        address, tensor(rows), rows, model="numbers/versions/v1")


@case("rest")
def json_nested(address):
    rows = rides(50)
    return twice(address, tensor(rows, nested=True), rows)


@case("rest")
def json_one_by_one_on_one_connection(address):
    with requests.Session() as http:
        return [send(address, tensor([row]), [row], http) for row in rides(50)]


@case("rest")
def json_columns(address):
    rows = rides(20)
    return twice(address, columns(rows), rows)


@case("rest")
def json_many_rows(address):
    rows = rides(5000)
    return twice(address, tensor(rows), rows)


@case("rest")
def json_null(address):
    rows = rides(20, missing=True)
    return twice(address, tensor(rows), rows)


@case("rest")
def json_in_chunks(address):
    rows = rides(3000)
    body = json.dumps(tensor(rows)).encode()
    parts = (body[at:at + 1000] for at in range(0, len(body), 1000))
    return [send(address, parts, rows, Content_Type="application/json")]


@case("rest")
def json_answer_packed_or_not(address):
    rows = rides(500)
    return [exchange for accepted in ("gzip", "identity") for exchange in twice(address, tensor(rows), rows, Accept_Encoding=accepted)]


@case("rest", refused=2)
def json_unknown_model(address):
    rows = rides(3)
    return twice(address, tensor(rows), rows, model="nobody")


@case("rest", refused=1)
def triton_http(address):
    """MLServer does not unpack deflate."""
    rows = rides(20)
    with tritonclient.http.InferenceServerClient(address) as client:
        return [triton(client, "numbers", {"rides": array(rows)}, rows, "predict", binary=False, request_compression_algorithm=packed,
                       response_compression_algorithm=packed) for packed in (None, "gzip", "deflate")]


@case("rest", refused=1)
def triton_http_binary(address):
    """MLServer does not take raw tensors over HTTP, and says so."""
    rows = rides(20)
    with tritonclient.http.InferenceServerClient(address) as client:
        return [triton(client, "numbers", {"rides": array(rows)}, rows, "predict", binary=True)]


@case("rest")
def json_concurrent(address):
    rows, local = rides(2000), threading.local()

    def one(n):
        if not hasattr(local, "http"):
            local.http = requests.Session()
        some = rows[n:n + 1 + n % 4]
        packed = {"Content_Encoding": "gzip"} if n % 5 == 0 else {}
        return send(address, tensor(some), some, local.http, **packed)
    return concurrently(one)


@case("mixed")
def json_columns_with_text(address):
    rows = rides(200, weather=True)
    return twice(address, columns(rows), rows, model="mixed")


@case("grpc")
def triton_grpc(address):
    rows = rides(50, missing=True)
    with tritonclient.grpc.InferenceServerClient(address) as client:
        return [triton(client, "numbers", {"rides": array(rows, datatype)}, rows, "predict", compression_algorithm=packed)
                for datatype in ("FP64", "FP32") for packed in (None, "gzip", "deflate")]


@case("grpc")
def triton_grpc_columns(address):
    rows = rides(20)
    arrays = {name: np.array(values, kind).reshape(-1, 1) for name, values, kind in zip(
        COLUMNS, zip(*rows), [np.float32, np.int32, np.int64, np.float64])}
    with tritonclient.grpc.InferenceServerClient(address) as client:
        return [triton(client, "numbers", arrays, rows, "predict", parameters={"content_type": "pd"})]


@case("grpc")
def triton_grpc_many_rows(address):
    rows = rides(20000)
    with tritonclient.grpc.InferenceServerClient(address) as client:
        return [triton(client, "numbers", {"rides": array(rows)}, rows, "predict")]


@case("grpc", refused=1)
def triton_grpc_unknown_model(address):
    rows = rides(3)
    with tritonclient.grpc.InferenceServerClient(address) as client:
        return [triton(client, "nobody", {"rides": array(rows)}, rows, "predict")]


def contents(rows):
    request = service_pb2.ModelInferRequest(model_name="numbers", id="7")
    request.inputs.add(name="rides", datatype="FP64", shape=[len(rows), len(rows[0])]).contents.fp64_contents.extend(
        value for row in rows for value in row)
    return request


def unpacked(message):
    """What MLServer answers: as it was asked, so in contents."""
    return list(message.outputs[0].contents.fp64_contents)


@case("grpc")
def stubs_contents(address):
    rows = rides(200)
    with grpc.insecure_channel(address) as channel:
        infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        return [call(infer, contents(rows), rows, unpacked, compression=packed, metadata=[("note-bin", b"\0\1"), ("note", "text")])
                for packed in (None, grpc.Compression.Gzip)]


@case("grpc")
def stubs_concurrent(address):
    """Eight threads on one connection."""
    rows = rides(2000)
    with grpc.insecure_channel(address) as channel:
        infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer

        def one(n):
            some = rows[n:n + 1 + n % 4]
            return call(infer, contents(some), some, unpacked, compression=grpc.Compression.Gzip if n % 5 == 0 else None)
        return concurrently(one)


@case("mixed_grpc")
def triton_grpc_text(address):
    rows = rides(200, weather=True)
    arrays = {name: np.array(values, np.object_ if name == "weather" else np.float64).reshape(-1, 1)
              for name, values in zip(COLUMNS, zip(*rows))}
    with tritonclient.grpc.InferenceServerClient(address) as client:
        return [triton(client, "mixed", arrays, rows, "predict", parameters={"content_type": "pd"})]


main()
