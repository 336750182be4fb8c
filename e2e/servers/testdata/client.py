"""What the clients of these tests share.

A client is started twice, once with the address of a server and once with that
of the sidecar in front of it: client.py NAME=HOST:PORT... First it prints its
cases. Then it reads the name of one, runs it and prints what happened as one
line of JSON, until its standard input ends.

What happened is a list of exchanges: what was answered, to be the same with and
without the sidecar, and the rows and predictions that a sidecar should count."""

import gzip
import json
import math
import random
import sys
from concurrent.futures import ThreadPoolExecutor

COLUMNS = ["distance", "hour", "passengers", "temperature", "weather"]

cases = {}


def case(endpoint, refused=0):
    """Makes a function a case. It gets the address of the endpoint, and gives exchanges, of which so many
    are refused: their rows count, but there are no predictions."""
    def register(function):
        cases[function.__name__] = (endpoint, refused, function)
        return function
    return register


def exchange(answer, rows=(), predictions=(), observed=True):
    return {"answer": answer, "rows": known(rows), "predictions": known(predictions), "observed": observed}


def known(values):
    """values as JSON: NaN, which it does not have, is null."""
    if isinstance(values, (list, tuple)):
        return [known(v) for v in values]
    return None if isinstance(values, float) and math.isnan(values) else values


def main():
    addresses = dict(arg.split("=") for arg in sys.argv[1:])
    print(json.dumps([{"name": name, "endpoint": endpoint, "refused": refused} for name, (endpoint, refused, _) in cases.items()]), flush=True)
    for line in sys.stdin:
        endpoint, _, function = cases[line.strip()]
        print(json.dumps(function(addresses[endpoint])), flush=True)


def rides(count, seed=1, missing=False, weather=False):
    """Rows as the models were trained on, some of them far from it, and some where one bin ends and the next
    begins. They are numbers of so few digits that a float32 stands for them as well."""
    dice = random.Random(seed)
    odd = [[-1.25, -500, 60.5, 900.75, 1.505, 3.205], [24, 50, -3, -30], [0, 5, 9, -7], [-40.5, 60.5, 120.5, -80.25, 0.95, 4.35], ["fog", "hail", ""]]

    def ride():
        row = [round(dice.lognormvariate(1, 0.7), 2), dice.randrange(24), dice.randint(1, 4), round(dice.gauss(11, 8), 1)]
        row += [dice.choice(["dry", "rain", "snow"])] if weather else []
        for column in range(len(row)):
            if dice.random() < 0.1:
                row[column] = dice.choice(odd[column])
            elif missing and dice.random() < 0.1:
                row[column] = None
        return row
    return [ride() for _ in range(count)]


def concurrently(one, threads=8, each=200):
    """One exchange of every call, in the order of the numbers that they are called with."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(threads * each)))


def post(http, url, body, rows, predictions, **headers):
    """POSTs a body, as JSON if it is a dictionary. predictions takes them out of the answer."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict):
        body = json.dumps(body)
        headers["Content-Type"] = "application/json"
    if headers.get("Content-Encoding") == "gzip":
        body = gzip.compress(body.encode(), mtime=0)
    answer = http.post(url, data=body, headers=headers, timeout=30)
    said = [[name, value] for name, value in answer.raw.headers.iteritems() if name.lower() != "date"]
    return exchange([answer.status_code, said, answer.content.decode("latin-1")], rows, predictions(answer) if answer.ok else ())


def call(method, request, rows, predictions, **options):
    """Calls a method of gRPC."""
    import grpc
    try:
        message, call = method.with_call(request, timeout=30, **options)
        body, found = message.SerializeToString(deterministic=True).hex(), predictions(message)
    except grpc.RpcError as error:
        call, body, found = error, None, ()
    metadata = [[list(pair) for pair in pairs or ()] for pairs in (call.initial_metadata(), call.trailing_metadata())]
    return exchange([call.code().name, call.details(), metadata, body], rows, found)
