import { join } from "node:path";
import { rolldown } from "rolldown";

/** The tensor package loads TFJS by Node's own `require`, which looks for a folder of packages: a bundle has it inside. */
const tfjsInside = {
  name: "tfjs-inside",
  /** @param {string} _ @param {string} id */
  transform: (_, id) =>
    id.endsWith(join("libs", "tensor", "dist", "tf.js"))
      ? 'export * as tf from "@tensorflow/tfjs";'
      : undefined,
};

/**
 * Writes run.mjs with all packages that it needs as one file, `dist/run.mjs` of a folder.
 * @param {string} out
 */
export async function bundleScript(out) {
  const bundle = await rolldown({
    input: join(import.meta.dirname, "run.mjs"),
    platform: "node",
    logLevel: "silent",
    plugins: [tfjsInside],
  });
  await bundle.write({
    dir: join(out, "dist"),
    format: "esm",
    entryFileNames: "run.mjs",
    codeSplitting: false,
  });
  await bundle.close();
}
