import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { StagecraftError } from "@stagecraft/core";
import { tf } from "../../tf.js";
import type { Engine } from "../engine.js";
import { createReferenceEngine } from "../reference/engine.js";

/** Optional peer dependencies, best first; each registers TFJS's "tensorflow" backend. */
const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"];

const HELP =
  "install one of them, or build one with `node tools/tensorflow/build.mjs` and set NODE_PATH to the " +
  "folder it prints (docs/gpu.md)";

interface TensorFlowOptions {
  numThreads?: number | undefined;
  /** Module that the package is looked up from; default this one. */
  from?: string;
}

/**
 * The definitions on libtensorflow, started through the first package that Node finds by its ordinary rules: in a
 * node_modules folder further up, or in one that the variable NODE_PATH names. Throws
 * `failed_precondition` when there is none, or when the one found does not work.
 */
export async function startTensorFlow({
  numThreads,
  from = import.meta.url,
}: TensorFlowOptions = {}): Promise<Engine> {
  const require = createRequire(from);
  const found = findPackage(require);
  checkOneTfjs(require, found);
  try {
    require(found.path);
    await tf.setBackend("tensorflow");
    await tf.ready();
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
    throw new StagecraftError(
      "failed_precondition",
      `engine "tensorflow": ${found.name} at ${found.path} does not start: ${reason}`,
      { cause },
    );
  }
  const { isUsingGpuDevice } = tf.backend() as unknown as { isUsingGpuDevice: boolean };
  return createReferenceEngine({
    name: "tensorflow",
    numThreads: availableParallelism(),
    simd: isUsingGpuDevice ? "gpu" : "none",
    batchInvariant: false, // its matrix product rounds by the number of rows
    ...(numThreads !== undefined && { notice: threadsNotice(numThreads) }),
  });
}

interface FoundPackage {
  name: string;
  path: string;
}

function findPackage(require: NodeJS.Require): FoundPackage {
  for (const name of PACKAGES) {
    try {
      return { name, path: require.resolve(name) };
    } catch {
      // not installed: the next one
    }
  }
  const what = `engine "tensorflow" needs ${PACKAGES.join(" or ")}, and neither is installed`;
  throw new StagecraftError("failed_precondition", `${what}: ${HELP}`);
}

/** Two copies of TFJS would mix two registries of kernels and two classes of tensors. */
function checkOneTfjs(require: NodeJS.Require, { name, path }: FoundPackage): void {
  const theirs = createRequire(path).resolve("@tensorflow/tfjs");
  const ours = require.resolve("@tensorflow/tfjs");
  if (theirs === ours) return;
  throw new StagecraftError(
    "failed_precondition",
    `engine "tensorflow": ${name} would load its own TFJS, ${theirs}, beside ours, ${ours}: remove ` +
      "that copy, or install the package where it finds ours",
  );
}

const threadsNotice = (numThreads: number) =>
  `engine "tensorflow" does not take its threads from us (${numThreads} asked for): set ` +
  "TF_NUM_INTRAOP_THREADS and TF_NUM_INTEROP_THREADS";
