"""OpenBLAS's matrix product at the shapes given as JSON, through numpy, which carries it.

    openblas.py SHAPES     then one line of JSON per line. Threads by OPENBLAS_NUM_THREADS.
"""
import json
import sys
import time

import numpy as np

info = np.__config__.CONFIG["Build Dependencies"]["blas"]
if "openblas" not in info["name"].lower():
    sys.exit(f"numpy here uses {info['name']}, not OpenBLAS")
products = []
for rows, outputs, inputs in json.loads(sys.argv[1]):
    x = np.random.rand(rows, inputs).astype(np.float32)
    w = np.random.rand(outputs, inputs).astype(np.float32)
    products.append((x, w.T, np.empty((rows, outputs), np.float32), 2 * rows * outputs * inputs))


def measure():
    start, flops = time.perf_counter(), 0
    for x, w, out, work in products:
        np.matmul(x, w, out=out)
        flops += work
    return flops / (time.perf_counter() - start) / 1e9


for _ in range(5):
    measure()
print(json.dumps({"version": info.get("version", "")}), flush=True)
for _ in sys.stdin:
    print(json.dumps({"gflops": sorted(measure() for _ in range(5))[2]}), flush=True)
