import { accessSync, constants, existsSync } from "node:fs";
import { availableParallelism, homedir } from "node:os";
import { join } from "node:path";
import { privateDirectoryProblem, StagecraftError } from "@stagecraft/core";
import {
  findPjrtPlugin,
  HOW_TO_GET_A_PLUGIN,
  openPjrt,
  type PjrtClient,
} from "@stagecraft/tensor-xla";
import { tf } from "../../tf.js";
import type { Engine } from "../engine.js";
import { XlaBackend, type XlaBackendOptions } from "./backend.js";
import { createXlaEngine } from "./engine.js";
import { registerGradients } from "./kernels/gradients.js";
import { registerKernels } from "./kernels/register.js";

const BACKEND_NAME = "xla";

/** Where compiled programs are kept, below the user's home: only ones that the user wrote are run. */
const CACHE_DIR = join(".cache", "stagecraft", "xla");

/**
 * Starts XLA on the first device of a plugin, of the one that pip installed unless another is named. Throws
 * what `openPjrt` says of one that does not work.
 */
export async function startXla({
  plugin,
  matmulPrecision: products = "f32",
  attention = "plain",
  numThreads,
}: XlaOptions = {}): Promise<Engine> {
  const file = plugin ?? findPjrtPlugin();
  if (file === undefined) {
    const what = 'engine "xla" needs a PJRT plugin, and none is found';
    throw new StagecraftError("failed_precondition", `${what}: ${HOW_TO_GET_A_PLUGIN}`);
  }
  refuseCudnn({ attention, products }, undefined); // a plugin takes its memory when it opens
  const engine = await startWithCache(file, { products, attention });
  return numThreads === undefined ? engine : withNotice(engine, threadsNotice(numThreads));
}

interface XlaOptions extends Partial<Pick<XlaBackendOptions, "attention">> {
  plugin?: string | undefined;
  matmulPrecision?: XlaBackendOptions["products"] | undefined;
  /** Asked for; the plugin takes as many as it likes, and a notice says so. */
  numThreads?: number | undefined;
}

const threadsNotice = (numThreads: number) =>
  `engine "xla" does not take its threads from us (${numThreads} asked for): a GPU has none to set, and XLA's ` +
  "CPU client takes the variable NPROC for the number of processors";

function withNotice(engine: Engine, notice: string): Engine {
  const notices = [engine.info.notice, notice].filter((each) => each !== undefined);
  return { ...engine, info: { ...engine.info, notice: notices.join("; ") } };
}

/** There wherever NVIDIA's driver is loaded. */
const GPU_DEVICE = "/dev/nvidiactl";

/** Whether "auto" should try this engine; a plugin is looked for only where a GPU is. */
export function hasGpuAndPlugin(
  { plugin }: { plugin?: string | undefined } = {},
  { device = GPU_DEVICE, findPlugin = () => findPjrtPlugin() } = {},
): boolean {
  return existsSync(device) && (plugin ?? findPlugin()) !== undefined;
}

/** With compiled programs kept from run to run, where that is possible. */
async function startWithCache(file: string, options: XlaBackendOptions): Promise<Engine> {
  const cacheDir = findCacheDir();
  if (cacheDir !== undefined) return startOn(openPjrt(file, { cacheDir }), options);
  const engine = await startOn(openPjrt(file), options);
  const reason = `~/${CACHE_DIR} cannot be written, or by others too`;
  return withNotice(engine, `engine "xla" compiles its programs anew in every process: ${reason}`);
}

/** Undefined for a user without a home, as in containers, or with one that cannot be written. */
function findCacheDir(): string | undefined {
  try {
    const dir = join(homedir(), CACHE_DIR);
    if (privateDirectoryProblem(dir) !== undefined) return undefined;
    accessSync(dir, constants.W_OK);
    return dir;
  } catch {
    return undefined;
  }
}

/** Registers the backend and its kernels, and makes it the current one. */
export async function startOn(
  client: PjrtClient,
  options: Partial<XlaBackendOptions> = {},
): Promise<Engine> {
  refuseCudnn(options, client.platform);
  const backend = new XlaBackend(client, options);
  tf.registerBackend(BACKEND_NAME, () => backend);
  registerKernels();
  registerGradients(BACKEND_NAME);
  await tf.setBackend(BACKEND_NAME);
  await tf.ready();
  const { platform } = client;
  const [simd, numThreads] = platform === "cpu" ? ["none", availableParallelism()] : [platform, 1];
  const numDevices = Math.max(1, client.devices.length);
  const { products: matmulPrecision, attention } = backend.options;
  return createXlaEngine(backend, {
    ...{ name: "xla", numThreads, simd, numDevices, batchInvariant: false },
    ...{ matmulPrecision, attention },
  });
}

/** cuDNN's attention is CUDA's, and of bf16 numbers; the platform is known once the plugin is open. */
function refuseCudnn({ attention, products }: Partial<XlaBackendOptions>, platform = "cuda"): void {
  if (attention !== "cudnn" || (platform === "cuda" && products === "bf16")) return;
  throw new StagecraftError(
    "failed_precondition",
    `attention "cudnn" computes in bf16 on CUDA, and this is ${products ?? "f32"} on ${platform}: take matmulPrecision "bf16" and a GPU, or attention "plain"`,
  );
}
