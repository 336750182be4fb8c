"""The other end of worker_linux.go: profiles rows with whylogs, and says how many in how much processor time.

A line on standard input is a task and seconds; the answer is how many rows or cells were profiled, and the seconds of
processor time that this took.
"""

import random
import sys
import time

import pandas as pd
import whylogs as why
from whylogs.core import DatasetProfile

COLUMNS, BATCH = 20, 1000
NAMES = [f"f{i}" for i in range(COLUMNS)]


def row():
    return {name: random.randrange(100_000, 1_000_000) / 1000 for name in NAMES}


ROWS = [row() for _ in range(1000)]
FRAMES = [pd.DataFrame([row() for _ in range(BATCH)], columns=NAMES) for _ in range(8)]
profile = DatasetProfile()


def track_row(i):
    """What a rolling logger does with log(row=…)."""
    profile.track(row=ROWS[i % len(ROWS)])
    return 1


def log_row(i):
    why.log(row=ROWS[i % len(ROWS)])
    return 1


def log_batch(i):
    why.log(pandas=FRAMES[i % len(FRAMES)])
    return BATCH * COLUMNS


def track_batch(i):
    profile.track(FRAMES[i % len(FRAMES)])
    return BATCH * COLUMNS


TASKS = {f.__name__.replace("_", "-"): f for f in (track_row, log_row, log_batch, track_batch)}

for f in TASKS.values():
    f(0)
print("ready", flush=True)
for line in sys.stdin:
    name, seconds = line.split()
    task, units, i = TASKS[name], 0, 0
    began, end = time.process_time(), time.perf_counter() + float(seconds)
    while time.perf_counter() < end:
        units += task(i)
        i += 1
    print(units, time.process_time() - began, flush=True)
