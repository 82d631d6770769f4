import { StagecraftError } from "@stagecraft/core";
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

/**
 * Starts XLA on the first device of a plugin, of the one that pip installed unless another is named. Throws
 * what `openPjrt` says of one that does not work.
 */
export async function startXla({ plugin }: { plugin?: string | undefined } = {}): Promise<Engine> {
  const file = plugin ?? findPjrtPlugin();
  if (file !== undefined) return startOn(openPjrt(file));
  const what = 'engine "xla" needs a PJRT plugin, and none is found';
  throw new StagecraftError("failed_precondition", `${what}: ${HOW_TO_GET_A_PLUGIN}`);
}

/** Registers the backend and its kernels, and makes it the current one. */
export async function startOn(client: PjrtClient, options?: XlaBackendOptions): Promise<Engine> {
  const backend = new XlaBackend(client, options);
  tf.registerBackend(BACKEND_NAME, () => backend);
  registerKernels();
  registerGradients(BACKEND_NAME);
  await tf.setBackend(BACKEND_NAME);
  await tf.ready();
  const { platform } = client;
  const simd = platform === "cpu" ? "none" : platform;
  return createXlaEngine(backend, { name: "xla", numThreads: 1, simd, batchInvariant: false });
}
