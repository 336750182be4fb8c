"""requests and KServe's own clients against KServe's server."""

import asyncio

import grpc
import numpy as np
import requests
from httpx import HTTPStatusError
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

from client import case, concurrently, exchange, main, post, rides


def send(address, path, body, rows, predictions, **headers):
    return post(requests, f"http://{address}{path}", body, rows, predictions, **headers)


def first(answer):
    return answer.json()["predictions"]


def data(answer):
    return answer.json()["outputs"][0]["data"]


def v2(rows, datatype="FP64"):
    return {"id": "7", "inputs": [{"name": "rides", "shape": [len(rows), 4], "datatype": datatype, "data": rows}]}


@case("rest", refused=1)
def v1_json(address):
    rows, path = rides(50), "/v1/models/numbers:predict"
    return [send(address, path, {"instances": rows}, rows, first),
            send(address, path, {"inputs": rows}, rows, first),
            send(address, "/v1/models/nobody:predict", {"instances": rows}, rows, first)]


@case("rest")
def v2_json(address):
    rows, path = rides(50), "/v2/models/numbers/infer"
    return [send(address, path, v2(rows), rows, data), send(address, path, v2(rows, "FP32"), rows, data)]


@case("rest", refused=2)
def gzip(address):
    """Which the server does not unpack, and refuses."""
    rows = rides(50)
    return [send(address, "/v1/models/numbers:predict", {"instances": rows}, rows, first, Content_Encoding="gzip"),
            send(address, "/v2/models/numbers/infer", v2(rows), rows, data, Content_Encoding="gzip")]


@case("rest")
def one_by_one(address):
    rows = rides(200)
    return concurrently(lambda n: send(address, "/v1/models/numbers:predict", {"instances": [rows[n]]}, [rows[n]], first), each=25)


def request(rows, binary, model="numbers"):
    values = InferInput("rides", [len(rows), 4], "FP64")
    values.set_data_from_numpy(np.array(rows, float), binary_data=binary)
    return InferRequest(model, [values], request_id="7", parameters={"binary_data_output": True} if binary else None)


def said(answer, rows):
    output = answer.outputs[0]
    return exchange([str(answer), output.as_numpy().tobytes().hex()], rows, output.as_numpy().ravel().tolist())


def rest(address, protocol, rows, body, model="numbers"):
    async def go():
        async with InferenceRESTClient(RESTConfig(protocol=protocol)) as client:
            headers = {}
            try:
                answer = await client.infer(f"http://{address}", body, model_name=model, response_headers=headers)
            except HTTPStatusError as error:
                return exchange(str(error).replace(address, ""), rows)
            if protocol == "v1":
                return exchange(answer, rows, answer["predictions"])
            return said(answer, rows)
    return asyncio.run(go())


@case("rest", refused=1)
def kserve_rest(address):
    rows = rides(50)
    return [rest(address, "v1", rows, {"instances": rows}),
            rest(address, "v2", rows, request(rows, binary=False)),
            rest(address, "v2", rows, request(rows, binary=True)),
            rest(address, "v2", rows, request(rows, binary=True), model="nobody")]


def calls(address, requests):
    async def go():
        async with InferenceGRPCClient(address) as client:
            async def one(rows, body):
                try:
                    return said(await client.infer(body), rows)
                except grpc.RpcError as error:
                    return exchange([error.code().name, error.details()], rows)
            return await asyncio.gather(*(one(*r) for r in requests))
    return asyncio.run(go())


@case("grpc", refused=1)
def kserve_grpc(address):
    rows = rides(50)
    return calls(address, [(rows, request(rows, binary=False)), (rows, request(rows, binary=True)),
                           (rows, request(rows, binary=True, model="nobody"))])


@case("grpc")
def kserve_grpc_at_once(address):
    rows = rides(200)
    return calls(address, [([row], request([row], binary=n % 2 == 0)) for n, row in enumerate(rows)])


main()
