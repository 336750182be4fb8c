"""requests against MLflow's scoring server, in every form that a signature of named columns takes."""

import csv
import io

import requests

from client import COLUMNS, case, concurrently, main, post, rides


def send(address, body, rows, **headers):
    return post(requests, f"http://{address}/invocations", body, rows, lambda answer: answer.json()["predictions"], **headers)


def records(rows):
    return [dict(zip(COLUMNS, row)) for row in rows]


@case("rest")
def dataframe_split(address):
    rows = rides(50, missing=True, weather=True)
    turned = {"columns": COLUMNS[::-1], "data": [row[::-1] for row in rows]}
    return [send(address, {"dataframe_split": {"columns": COLUMNS, "data": rows}}, rows),
            send(address, {"dataframe_split": {"index": list(range(50)), **turned}, "params": {}}, rows)]


@case("rest")
def dataframe_records(address):
    rows = rides(50, missing=True, weather=True)
    return [send(address, {"dataframe_records": records(rows)}, rows),
            send(address, {"dataframe_records": records(rows)}, rows, Content_Type="application/json; charset=utf-8")]


@case("rest")
def instances(address):
    rows = rides(50, weather=True)
    return [send(address, {"instances": records(rows)}, rows)]


@case("rest")
def inputs(address):
    rows = rides(50, weather=True)
    return [send(address, {"inputs": records(rows)}, rows),
            send(address, {"inputs": dict(zip(COLUMNS, map(list, zip(*rows))))}, rows)]


@case("rest")
def text_csv(address):
    rows = rides(50, missing=True, weather=True)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    table.writerows(["" if value is None else value for value in row] for row in rows)
    return [send(address, text.getvalue(), rows, Content_Type="text/csv")]


@case("rest", refused=1)
def a_column_missing(address):
    """Which the server refuses; but the rows were sent."""
    rows = rides(5, weather=True)
    sent = {"columns": COLUMNS[1:], "data": [row[1:] for row in rows]}
    return [send(address, {"dataframe_split": sent}, [[None, *row[1:]] for row in rows])]


@case("rest", refused=1)
def gzip(address):
    """Which the server does not unpack, and refuses."""
    rows = rides(50, weather=True)
    return [send(address, {"dataframe_records": records(rows)}, rows, Content_Encoding="gzip")]


@case("rest")
def one_by_one(address):
    rows = rides(200, missing=True, weather=True)
    return concurrently(lambda n: send(address, {"dataframe_split": {"columns": COLUMNS, "data": [rows[n]]}}, [rows[n]]), each=25)


main()
