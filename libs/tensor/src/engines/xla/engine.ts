import { tf } from "../../tf.js";
import type { Engine, EngineInfo } from "../engine.js";
import { sessionOver } from "../reference/decode-session.js";
import { sumAcrossDevices } from "./across-devices.js";
import type { XlaBackend } from "./backend.js";
import { DeviceCache } from "./device-cache.js";
import { createOperations } from "./operations.js";
import { createOptimizer } from "./optimizer.js";
import { paddedSize } from "./rounding.js";

/** Programs recorded from TFJS code, compiled by XLA, on tensors that stay on their device. */
export function createXlaEngine(backend: XlaBackend, info: EngineInfo): Engine {
  const ops = createOperations(backend);
  return {
    info,
    ops,
    createDecoder: (weights, options) =>
      sessionOver(new DeviceCache(backend, ops, { weights, options }), weights, options),
    createOptimizer: (params, config) => createOptimizer(backend, params, config),
    runRecorded: () => backend.flush(),
    programCounts: () => ({ ...backend.device.counters }),
    sumAcrossDevices: (parts) => sumAcrossDevices(backend, parts),
    paddedSize,
    kvBytesPerToken: ({ numLayers, numKvHeads, headSize }) => numLayers * numKvHeads * headSize * 8,
    memory() {
      return { numTensors: tf.memory().numTensors, usedBytes: backend.usedBytes(), idleBytes: 0 };
    },
    releaseIdleMemory: () => undefined,
    releaseWeights: () => undefined,
    ownValues: () => undefined,
  };
}
