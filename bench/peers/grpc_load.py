"""Clients that ask for scores over gRPC, on gRPC's C core: grpc_load.py STUBS PORT CLIENTS THINK_MS VOCAB.

What reward-load.mjs does with grpc-js: a connection and one call of one item of 96 tokens at a time for
each client, which sends the next when the last was answered and it has thought for a random time of mean
THINK_MS. Here no collector of a JavaScript client pauses the clock, so it is the server's path that shows.

STUBS is the folder of what protoc made from proto/. For each line (seconds) one line: items, seconds, and
percentiles of the calls' latency in ms.
"""

import asyncio
import json
import random
import sys
import time

STUBS, PORT, CLIENTS, THINK_MS, VOCAB = sys.argv[1], *map(int, sys.argv[2:6])
sys.path.insert(0, STUBS)

import grpc  # noqa: E402
from stagecraft.reward.v1 import reward_pb2, reward_pb2_grpc  # noqa: E402

LENGTH = 96
WARM_UP_SECONDS = 4


def connect():
    """A stub with a connection of its own: channels to one address would share one."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{PORT}", options=options)
    return reward_pb2_grpc.RewardServiceStub(channel)


def make_request():
    ids = [random.randrange(VOCAB) for _ in range(LENGTH)]
    request = reward_pb2.ScoreBatchRequest(truncation=reward_pb2.TRUNCATION_POLICY_REFUSE)
    request.items.add().tokens.ids.extend(ids)
    return request


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def load(stubs, request, seconds, think_ms):
    latencies = []
    start = time.perf_counter()

    async def ask(stub):
        while time.perf_counter() < start + seconds:
            if think_ms > 0:
                await asyncio.sleep(random.expovariate(1000 / think_ms))
            sent = time.perf_counter()
            answer = await stub.ScoreBatch(request, timeout=10)
            if len(answer.scores) != 1:
                raise RuntimeError("scores are missing")
            latencies.append((time.perf_counter() - sent) * 1000)

    await asyncio.gather(*map(ask, stubs))
    return {
        "items": len(latencies),
        "seconds": time.perf_counter() - start,
        "p50Ms": percentile(latencies, 0.5),
        "p99Ms": percentile(latencies, 0.99),
    }


async def main():
    stubs = [connect() for _ in range(CLIENTS)]
    request = make_request()
    await load(stubs, request, WARM_UP_SECONDS, 0)
    print("{}", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await load(stubs, request, float(line), THINK_MS)), flush=True)


asyncio.run(main())
