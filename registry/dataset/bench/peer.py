"""The other end of main.go: makes the files, and profiles them with pandas and whylogs.

`make PREFIX ROWS` writes PREFIX.csv and PREFIX.parquet, the same rows; `log FILE` prints the seconds of processor time
that it takes to read and log the file, without those of starting Python and loading the libraries.
"""

import logging
import sys
import time

import numpy as np
import pandas as pd

logging.disable(logging.WARNING)
if sys.argv[1] == "make":
    rows, r = int(sys.argv[3]), np.random.default_rng(1)
    columns = {f"n{i}": r.normal(size=rows) for i in range(8)}
    columns |= {f"i{i}": r.integers(0, 10 ** (i + 1), size=rows) for i in range(4)}
    columns |= {f"c{i}": np.char.add("c", r.integers(0, 10 ** (i + 1), size=rows).astype(str)) for i in range(4)}
    columns |= {f"m{i}": np.where(r.random(rows) < 0.1, np.nan, r.exponential(size=rows).round(3)) for i in range(4)}
    table = pd.DataFrame(columns)
    table.to_csv(sys.argv[2] + ".csv", index=False)
    table.to_parquet(sys.argv[2] + ".parquet", index=False)
else:
    import pyarrow
    import whylogs as why

    pyarrow.set_cpu_count(1)
    why.log(pd.DataFrame({"x": [1.0], "c": ["a"]}))  # whatever is loaded late
    begin = time.process_time()
    path = sys.argv[2]
    table = pd.read_csv(path) if path.endswith(".csv") else pd.read_parquet(path, use_threads=False)
    why.log(table)
    print(time.process_time() - begin)
