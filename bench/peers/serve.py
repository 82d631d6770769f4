"""The measured side of the benchmarks' protocol, as lib/serve.mjs: warm up, say that it is ready, then
for every line on stdin run so many rounds and answer with the time they took."""

import json
import sys
import time


def serve_rounds(work, warmups=3, facts=None):
    for _ in range(warmups):
        work()
    print(json.dumps(facts or {}), flush=True)
    for line in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        result = None
        for _ in range(int(line)):
            result = work()
        answer = {"seconds": time.perf_counter() - start, "cpuSeconds": time.process_time() - cpu}
        print(json.dumps({**answer, **(result or {})}), flush=True)
