"""tritonclient against KServe's server, which takes and gives raw tensors over HTTP."""

import requests
import tritonclient.grpc
import tritonclient.http
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from client import case, main, post, rides
from v2 import array, triton


@case("rest", refused=2)
def triton_http(address):
    """JSON is refused: tritonclient does not say that it is JSON."""
    rows = rides(50, missing=True)
    with InferenceServerClient(address) as client:
        return [triton(client, "numbers", {"rides": array(rows, datatype)}, rows, "output-0", binary=True) for datatype in ("FP64", "FP32")] + [
            triton(client, "numbers", {"rides": array(rides(50))}, rides(50), "output-0", binary=False),
            triton(client, "nobody", {"rides": array(rows)}, rows, "output-0", binary=True)]


@case("rest")
def triton_http_bytes(address):
    """The same request, and its answer byte for byte."""
    rows = rides(50, missing=True)
    values = InferInput("rides", [50, 4], "FP64")
    values.set_data_from_numpy(array(rows), binary_data=True)
    body, length = InferenceServerClient.generate_request_body([values], request_id="7", outputs=[InferRequestedOutput("output-0", binary_data=True)])

    def predictions(answer):
        head = int(answer.headers["inference-header-content-length"])
        return InferenceServerClient.parse_response_body(answer.content, header_length=head).as_numpy("output-0").tolist()
    return [post(requests, f"http://{address}/v2/models/numbers/infer", body, rows, predictions,
                 Inference_Header_Content_Length=str(length), Content_Type="application/octet-stream")]


@case("grpc")
def triton_grpc(address):
    rows = rides(50, missing=True)
    with tritonclient.grpc.InferenceServerClient(address) as client:
        return [triton(client, "numbers", {"rides": array(rows, datatype)}, rows, "output-0", compression_algorithm=packed)
                for datatype in ("FP64", "FP32") for packed in (None, "gzip")]


main()
