// The measurements of a GPU machine in one go, results written after each part, so that a cut loses nothing:
//   node bench/gpu/run.mjs --plugin FILE --out FILE [--products bf16] [--python PYTHON] [--tiny] [PART…]
// `--python` names one with PyTorch for the figures beside ours, by the same products; `--tiny` tries the script
// on a CPU.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { initEngine } from "@stagecraft/tensor";
import * as parts from "./parts.mjs";
import { FULL, TINY } from "./shapes.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    plugin: { type: "string" },
    out: { type: "string", default: "gpu.json" },
    python: { type: "string" },
    peer: { type: "string", default: new URL("torch_step.py", import.meta.url).pathname },
    products: { type: "string", default: "f32" },
    tiny: { type: "boolean", default: false },
  },
});
const { plugin, python, peer, out, products, tiny } = values;
if (products !== "f32" && products !== "bf16") throw new Error("--products is f32 or bf16");
if (plugin === undefined) throw new Error("name the plugin: --plugin /…/xla_cuda_plugin.so");
const sizes = tiny ? TINY : FULL;
const { decoded, steps } = sizes;

/** @type {[string, () => unknown][]} */
const plan = [
  ["open", () => parts.open({ plugin })],
  ["start", () => initEngine({ engine: "xla", plugin, products })],
  ["losses", () => parts.losses(products)],
  ...Object.entries(sizes.trained).map(([name, shape]) => [
    `train ${name}`,
    () => parts.train({ shape: { ...shape, products }, steps, python, peer }),
  ]),
  ...decoded.sequences.map((sequences) => [
    `decode ${sequences}`,
    () => parts.decode({ shape: decoded, sequences }),
  ]),
  ["flat", () => parts.flat({ steps: sizes.flatSteps })],
];

/** Which driver and card; empty where there is none. */
function machine() {
  try {
    const query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"];
    return execFileSync("nvidia-smi", query, { encoding: "utf8" }).trim();
  } catch {
    return "no nvidia-smi";
  }
}

const results = { machine: machine(), node: process.version, products, tiny, parts: {} };
let failed = 0;
const needed = ["open", "start"];
for (const [name, work] of plan) {
  const isWanted = positionals.length === 0 || positionals.some((part) => name.startsWith(part));
  if (!isWanted && !needed.includes(name)) continue;
  const before = performance.now();
  try {
    results.parts[name] = await work();
  } catch (error) {
    failed++;
    results.parts[name] = { failed: error instanceof Error ? error.message : String(error) };
  }
  const seconds = ((performance.now() - before) / 1000).toFixed(1);
  writeFileSync(out, JSON.stringify(results, null, 2));
  console.log(`${name}  ${seconds} s  ${JSON.stringify(results.parts[name])}`);
}
process.exit(failed === 0 ? 0 : 1);
