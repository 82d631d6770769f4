import { StagecraftError } from "@stagecraft/core";
import { loadNative, type NativeAddon, type NativeLoad } from "@stagecraft/tensor-native";
import { tf } from "../../tf.js";
import type { Engine } from "../engine.js";
import { createNativeBackend, type NativeBackend } from "./backend.js";
import { createNativeEngine } from "./engine.js";

const BACKEND_NAME = "native";

/** Below this size a JavaScript loop beats a call into the addon. */
const MIN_NATIVE_SIZE = 2048;

/** The compiled addon, or why there is none. */
export const findNative = () => loadNative();

/** Starts the C++ engine; throws `failed_precondition` where its addon is not compiled or of another ABI. */
export async function startNative(
  { numThreads: wanted }: { numThreads?: number | undefined } = {},
  native: NativeLoad = findNative(),
): Promise<Engine> {
  if (!("addon" in native)) {
    throw new StagecraftError(
      "failed_precondition",
      `engine "native" is not available: ${native.reason}; run \`npm run setup\``,
    );
  }
  if (wanted !== undefined) native.addon.configure({ numThreads: wanted });
  const backend = await registerBackend(native.addon);
  const { simd, numThreads } = native.addon.info({});
  return createNativeEngine(backend, { name: "native", numThreads, simd, batchInvariant: true });
}

/** Registers the backend and its kernels, and makes it the current one. */
async function registerBackend(addon: NativeAddon): Promise<NativeBackend> {
  const cpu = tf.findBackend("cpu");
  if (cpu === null) throw new StagecraftError("internal", "TFJS has no cpu backend");
  const backend = createNativeBackend(cpu, addon);
  tf.registerBackend(BACKEND_NAME, () => backend);
  for (const config of tf.getKernelsForBackend("cpu")) {
    tf.registerKernel({ ...config, backendName: BACKEND_NAME, kernelFunc: guarded(config) });
  }
  replaceAdd(backend);
  await tf.setBackend(BACKEND_NAME);
  await tf.ready();
  return backend;
}

/**
 * A cpu kernel on our memory. Some return views of an input's array (slice, split, unstack); once
 * the input's memory is reused such a view would change, so they get a copy.
 */
function guarded({ kernelFunc }: tf.KernelConfig): tf.KernelFunc {
  return (params) => {
    const backend = params.backend as NativeBackend;
    const result = kernelFunc(params);
    for (const info of Array.isArray(result) ? result : [result]) {
      const data = backend.data.get(info.dataId);
      const borrowed =
        data.values instanceof Float32Array &&
        backend.sharesPool(data.values) &&
        !backend.owns(info.dataId);
      if (borrowed) data.values = data.values.slice();
    }
    return result;
  };
}

/** Sums of equal float32 shapes (gradients of a tensor used twice) are the one hot TFJS kernel. */
function replaceAdd(backend: NativeBackend): void {
  const plain = tf.getKernel("Add", BACKEND_NAME);
  tf.unregisterKernel("Add", BACKEND_NAME);
  tf.registerKernel({
    kernelName: "Add",
    backendName: BACKEND_NAME,
    kernelFunc: (params) => {
      const { a, b } = params.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
      const size = tf.util.sizeFromShape(a.shape);
      const simple =
        size >= MIN_NATIVE_SIZE &&
        a.dtype === "float32" &&
        b.dtype === "float32" &&
        tf.util.arraysEqual(a.shape, b.shape);
      if (!simple) return plain.kernelFunc(params);
      const { tensor, values } = backend.output(a.shape);
      backend.addon.add({ size, a: backend.peek(a), b: backend.peek(b), y: values });
      return tensor;
    },
  });
}
