"""Checks programs that the engine xla recorded, by JAX and its CPU client: `node tools/xla/check-programs.mjs`.

    python3 check_programs.py FOLDER

1. Every text parses and verifies, the one with cuDNN's attention too, whose calls are those that JAX lowers today.
2. A training step on two devices gives what one device gives for the whole batch: loss, gradients, norm, weights,
   moments.
"""

import json
import os
import re
import sys
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import numpy as np
from jax._src.interpreters import mlir
from jax._src.lib import xla_client
from jax.extend.mlir import ir
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import cudnn_golden

TOLERANCE = 1e-5
TYPES = {"f32": np.float32, "s32": np.int32}


def verify(text):
    with mlir.make_ir_context():
        assert ir.Module.parse(text).operation.verify(), "the program does not verify"


def run(program):
    """The outputs of each device."""
    replicas = program["arguments"]
    devices = jax.devices()[: len(replicas)]
    options = xla_client.CompileOptions()
    options.num_replicas = len(devices)
    ids = np.array([[device.id] for device in devices], np.int32)
    options.device_assignment = xla_client.DeviceAssignment.create(ids)
    client = devices[0].client
    listed = xla_client.DeviceList(tuple(devices))
    loaded = client.compile_and_load(program["text"], listed, options)
    mesh = Mesh(np.array(devices), ("device",))
    arguments = []
    for own in zip(*replicas):
        arrays = [np.array(a["values"], TYPES[a["dtype"]]).reshape(a["shape"]) for a in own]
        # argument i of each device is a shard of one array, whatever they hold
        shards = [jax.device_put(array, device) for array, device in zip(arrays, devices)]
        rank = arrays[0].ndim
        assert rank > 0, "a scalar is no shard"
        whole = (arrays[0].shape[0] * len(devices), *arrays[0].shape[1:])
        sharding = NamedSharding(mesh, PartitionSpec("device"))
        arguments.append(jax.make_array_from_single_device_arrays(whole, sharding, shards))
    outputs = loaded.execute_sharded(arguments).disassemble_into_single_device_arrays()
    return [[np.asarray(output[i]) for output in outputs] for i in range(len(devices))]


def compare(name, whole, parts):
    (expected,) = run(whole)
    results = run(parts)
    assert len(results) == 2
    largest = 0.0
    for device, found in enumerate(results):
        assert len(found) == len(expected), f"{len(found)} outputs, not {len(expected)}"
        for i, (a, b) in enumerate(zip(found, expected)):
            assert a.shape == b.shape, f"output {i}: {a.shape}, not {b.shape}"
            assert np.isfinite(b).all(), f"output {i} is not finite"
            largest = max(largest, float(np.abs(a - b).max()))
        same = all((a == b).all() for a, b in zip(found, results[0]))
        assert same, f"device {device} has other numbers than the first"
    assert any(np.abs(output).max() > 0.01 for output in expected), "all outputs are nearly 0"
    assert largest <= TOLERANCE, f"{name}: outputs differ by {largest}"
    print(f"{name}: {len(expected)} outputs of two devices differ by at most {largest:.1e} from one's")


def calls(text):
    return [re.sub(r"%[\w#]+", "%", call) for call in re.findall(r"custom_call .*", text)]


def main(folder):
    read = lambda name: json.loads((folder / name).read_text())
    for name in ("step", "gradients"):
        whole, parts = read(f"{name}-1.json"), read(f"{name}-2.json")
        for program in (whole, parts):
            verify(program["text"])
        compare(name, whole, parts)
    attention = (folder / "cudnn-attention.mlir").read_text()
    verify(attention)
    found, expected = calls(attention), calls(cudnn_golden.lowered())
    assert len(expected) == 2 and found == expected, "the calls of cuDNN are not those that JAX lowers"
    print("attention by cuDNN: the text verifies, its calls are those of JAX", jax.__version__)


main(Path(sys.argv[1]))
