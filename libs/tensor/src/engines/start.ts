import { StagecraftError } from "@stagecraft/core";
import { tf } from "../tf.js";
import { useEngine } from "./current.js";
import type { Engine, EngineInfo, EngineName } from "./engine.js";
import { findNative, startNative } from "./native/start.js";
import { startReference } from "./reference/engine.js";
import { startTensorFlow } from "./tensorflow/start.js";
import { hasGpuAndPlugin, startXla } from "./xla/start.js";

export interface EngineOptions {
  /** "auto" (default) takes xla where a plugin and a GPU are, else native where its addon is built, else plain TFJS. */
  engine?: "auto" | EngineName;
  /** Threads of the native engine; default: the physical cores. */
  numThreads?: number;
  /** A PJRT plugin for xla; default: the one that is found. */
  plugin?: string;
  /** How xla rounds the factors of matrix products, whose sums are f32; default f32, without tf32's shortcut. */
  matmulPrecision?: "f32" | "bf16";
  /**
   * Who computes causal attention on xla: "cudnn" in bf16 on CUDA where it can (rows of one document, heads of up to
   * 128, no window and no cap), plain elsewhere; default "plain".
   */
  attention?: "plain" | "cudnn";
}

type Start = (options: Omit<EngineOptions, "engine">) => Promise<Engine>;

const STARTS: Record<EngineName, Start> = {
  native: startNative,
  xla: startXla,
  tensorflow: startTensorFlow,
  cpu: startReference,
};

let starting: Promise<EngineInfo> | undefined;

/**
 * Chooses the engine of this thread. The first call decides; later calls return the same answer,
 * and throw `failed_precondition` when they name another engine.
 */
export async function initEngine(options: EngineOptions = {}): Promise<EngineInfo> {
  starting ??= start(options).catch((error: unknown) => {
    starting = undefined;
    throw error;
  });
  const result = await starting;
  const wanted = options.engine ?? "auto";
  const conflict =
    wanted !== "auto" && wanted !== result.name
      ? `engine "${wanted}" asked for, but "${result.name}" already runs in this thread`
      : precisionConflict(result, options);
  if (conflict !== undefined) throw new StagecraftError("failed_precondition", conflict);
  return result;
}

/** What is asked of the numbers and the engine does not do; undefined where it does all of it. */
function precisionConflict(
  info: EngineInfo,
  { matmulPrecision, attention }: EngineOptions,
): string | undefined {
  const { name, matmulPrecision: runs = "f32", attention: attends = "plain" } = info;
  const found = [
    ...(matmulPrecision !== undefined && matmulPrecision !== runs
      ? [`matmulPrecision "${matmulPrecision}" asked for, but engine "${name}" computes in ${runs}`]
      : []),
    ...(attention !== undefined && attention !== attends
      ? [`attention "${attention}" asked for, but engine "${name}" has the ${attends} one`]
      : []),
  ];
  if (found.length === 0) return undefined;
  const way =
    name === "xla" ? "start the process with it" : `leave it out, or take engine "xla" on a GPU`;
  return `${found.join("; ")}: ${way}`;
}

async function start({ engine = "auto", ...options }: EngineOptions): Promise<EngineInfo> {
  tf.enableProdMode(); // also silences the advice to install tfjs-node
  const started = await (engine === "auto" ? startBest : STARTS[engine])(options);
  const conflict = precisionConflict(started.info, options);
  if (conflict !== undefined) {
    const { notice } = started.info; // why it is not xla
    throw new StagecraftError("failed_precondition", [conflict, notice].filter(Boolean).join("; "));
  }
  useEngine(started);
  return started.info;
}

/** xla where a plugin and a GPU are; when it does not start, the CPU's best, and why. */
const startBest: Start = async (options) => {
  if (!hasGpuAndPlugin(options)) return withoutGpu(options);
  try {
    return await startXla(options);
  } catch (thrown) {
    const engine = await startOnCpu(options);
    const notice = `a GPU is there, but is not used: ${StagecraftError.from(thrown).reason}`;
    return { ...engine, info: { ...engine.info, notice } };
  }
};

/** Who names a plugin expects a GPU. */
async function withoutGpu(options: EngineOptions): Promise<Engine> {
  const engine = await startOnCpu(options);
  if (options.plugin === undefined) return engine;
  const notice = `the plugin ${options.plugin} is not used: this machine shows no NVIDIA GPU; --engine xla uses it all the same`;
  return { ...engine, info: { ...engine.info, notice } };
}

const startOnCpu: Start = async (options) => {
  const native = findNative();
  if ("addon" in native) return startNative(options);
  const reference = await startReference();
  return { ...reference, info: { ...reference.info, notice: noticeOf(native.reason) } };
};

const noticeOf = (reason: string) =>
  `native engine off (${reason}): training and generation run 50 to 100 times slower on plain ` +
  "TensorFlow.js; install g++, make and Python 3, then run `npm run setup`";
