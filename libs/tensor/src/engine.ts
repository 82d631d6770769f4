import { StagecraftError } from "@stagecraft/core";
import { loadNative, type NativeAddon } from "@stagecraft/tensor-native";
import { useImplementation } from "./implementation.js";
import { setNativeBackend } from "./native/current.js";
import { createNativeImplementation } from "./native/implementation.js";
import { startNativeBackend } from "./native/register.js";
import { startTensorFlow } from "./tensorflow.js";
import { tf } from "./tf.js";

export type EngineName = "native" | "tensorflow" | "cpu";

export interface EngineOptions {
  /** "auto" (default) takes native where its addon is built, else plain TFJS on the CPU. */
  engine?: "auto" | EngineName;
  /** Threads of the native engine; default: the physical cores. */
  numThreads?: number;
}

export interface EngineInfo {
  name: EngineName;
  numThreads: number;
  /** Instruction set of the native kernels, e.g. "avx512"; "gpu" where TensorFlow has one; else "none". */
  simd: string;
  /** One line for the user: what an engine cannot do here, and how to get it. */
  notice?: string;
}

let started: Promise<EngineInfo> | undefined;
let info: EngineInfo | undefined;

/**
 * Chooses the engine of this thread. The first call decides; later calls return the same answer,
 * and throw `failed_precondition` when they name another engine.
 */
export async function initEngine(options: EngineOptions = {}): Promise<EngineInfo> {
  started ??= start(options).catch((error: unknown) => {
    started = undefined;
    throw error;
  });
  const result = await started;
  const wanted = options.engine ?? "auto";
  if (wanted !== "auto" && wanted !== result.name) {
    throw new StagecraftError(
      "failed_precondition",
      `engine "${wanted}" asked for, but "${result.name}" already runs in this thread`,
    );
  }
  return result;
}

/** The running engine; throws `failed_precondition` before initEngine. */
export function engineInfo(): EngineInfo {
  if (info === undefined) {
    throw new StagecraftError("failed_precondition", "no engine yet: await initEngine() first");
  }
  return info;
}

async function start(options: EngineOptions): Promise<EngineInfo> {
  tf.enableProdMode(); // also silences the advice to install tfjs-node
  info = await startEngine(options.engine ?? "auto", options.numThreads);
  return info;
}

async function startEngine(
  engine: "auto" | EngineName,
  numThreads: number | undefined,
): Promise<EngineInfo> {
  if (engine === "cpu") return startCpu();
  if (engine === "tensorflow") return startTensorFlow({ numThreads });
  const native = loadNative();
  if ("addon" in native) return startNative(native.addon, numThreads);
  if (engine === "auto") return { ...(await startCpu()), notice: noticeOf(native.reason) };
  throw new StagecraftError(
    "failed_precondition",
    `engine "native" is not available: ${native.reason}; run \`npm run setup\``,
  );
}

const noticeOf = (reason: string) =>
  `native engine off (${reason}): training and generation run 50 to 100 times slower on plain ` +
  "TensorFlow.js; install g++, make and Python 3, then run `npm run setup`";

async function startNative(addon: NativeAddon, numThreads?: number): Promise<EngineInfo> {
  if (numThreads !== undefined) addon.configure({ numThreads });
  const backend = await startNativeBackend(addon);
  useImplementation(createNativeImplementation(backend));
  setNativeBackend(backend);
  const { simd, numThreads: threads } = addon.info({});
  return { name: "native", numThreads: threads, simd };
}

async function startCpu(): Promise<EngineInfo> {
  await tf.setBackend("cpu");
  await tf.ready();
  return { name: "cpu", numThreads: 1, simd: "none" };
}
