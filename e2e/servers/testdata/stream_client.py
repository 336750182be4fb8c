"""tritonclient's streams. Each message counts by itself: requests with their rows, responses with their predictions."""

import queue

import tritonclient.grpc
from tritonclient.grpc import InferInput
from tritonclient.utils import InferenceServerException

from client import case, concurrently, exchange, main, rides
from v2 import array


def stream(address, requests, responses, packed=None, final=False):
    """Sends requests, each a model and its rows, on one stream, and waits for so many responses."""
    answers, exchanges = queue.Queue(), []
    with tritonclient.grpc.InferenceServerClient(address) as client:
        client.start_stream(lambda result, error: answers.put(error or result), compression_algorithm=packed)
        for n, (model, rows) in enumerate(requests):
            values = InferInput("rides", [len(rows), 4], "FP64")
            values.set_data_from_numpy(array(rows))
            client.async_stream_infer(model, [values], request_id=str(n), enable_empty_final_response=final)
            exchanges.append(exchange(None, rows))
        for _ in range(responses):
            answer = answers.get(timeout=30)
            if isinstance(answer, InferenceServerException):
                exchanges.append(exchange([answer.status(), answer.message()], observed=False))
                continue
            found = answer.as_numpy("minutes")
            exchanges.append(exchange(str(answer.get_response()), predictions=() if found is None else found.ravel().tolist()))
        client.stop_stream()
    return exchanges


@case("grpc")
def one_request(address):
    return stream(address, [("numbers", rides(20, missing=True))], 1)


@case("grpc")
def many_requests(address):
    rows = rides(1000, missing=True)
    return stream(address, [("numbers", rows[n:n + 1 + n % 5]) for n in range(900)], 900)


@case("grpc")
def gzip(address):
    return stream(address, [("numbers", rides(200))] * 5, 5, packed="gzip")


@case("grpc")
def decoupled(address):
    requests = [("twice", rides(20)), ("numbers", rides(3)), ("twice", rides(10))]
    return stream(address, requests, 5) + stream(address, requests, 7, final=True)


@case("grpc")
def errors_between(address):
    return stream(address, [("numbers", rides(2)), ("nobody", rides(3)), ("numbers", rides(4))], 3)


@case("grpc")
def aborted(address):
    return stream(address, [("numbers", rides(2)), ("abort", rides(3))], 2)


@case("grpc")
def streams_at_once(address):
    rows = rides(200)
    return [e for part in concurrently(lambda n: stream(address, [("numbers", rows[n:n + 2])] * 10, 10), each=2) for e in part]


main()
