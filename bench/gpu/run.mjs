// The measurements of a GPU machine in one go, results written after each part, so that a cut loses nothing:
//   node bench/gpu/run.mjs --plugin FILE --out FILE [--products bf16] [--attention cudnn] [--python PYTHON] [--tiny] [PART…]
// `--python` names one with PyTorch for the figures beside ours, by the same products; `--tiny` tries the script
// on a CPU.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { initEngine } from "@stagecraft/tensor";
import { attention as attentionPart } from "./attention.mjs";
import * as parts from "./parts.mjs";
import { LeftOut, runParts } from "./run-parts.mjs";
import { FULL, TINY } from "./shapes.mjs";
import { torchStep } from "./torch.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    plugin: { type: "string" },
    out: { type: "string", default: "gpu.json" },
    python: { type: "string" },
    peer: { type: "string", default: new URL("torch_step.py", import.meta.url).pathname },
    products: { type: "string", default: "f32" },
    attention: { type: "string", default: "plain" },
    tiny: { type: "boolean", default: false },
  },
});
const { plugin, python, peer, out, products, attention, tiny } = values;
if (products !== "f32" && products !== "bf16") throw new Error("--products is f32 or bf16");
if (attention !== "plain" && attention !== "cudnn")
  throw new Error("--attention is plain or cudnn");
if (plugin === undefined) throw new Error("name the plugin: --plugin /…/xla_cuda_plugin.so");
const sizes = tiny ? TINY : FULL;
const { decoded, steps } = sizes;

function torch(shape) {
  if (python === undefined) throw new LeftOut("no --python was named");
  return torchStep({ python, peer }, { ...shape, products, steps });
}

/** @type {import("./run-parts.mjs").Part[]} */
const plan = [
  { name: "open", work: () => parts.open({ plugin }), isNeeded: true },
  {
    name: "start",
    work: () => initEngine({ engine: "xla", plugin, matmulPrecision: products, attention }),
    isNeeded: true,
  },
  { name: "losses", work: () => parts.losses(products) },
  { name: "attention", work: () => attentionPart({ by: attention, sizes: sizes.attention }) },
  ...Object.entries(sizes.trained).flatMap(([name, shape]) => [
    { name: `train ${name}`, work: () => parts.train({ shape, steps }) },
    { name: `torch ${name}`, work: () => torch(shape) },
  ]),
  { name: "devices", work: () => parts.devices({ shape: sizes.split, steps }) },
  ...decoded.sequences.map((sequences) => ({
    name: `decode ${sequences}`,
    work: () => parts.decode({ shape: decoded, sequences }),
  })),
  { name: "flat", work: () => parts.flat({ steps: sizes.flatSteps }) },
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

const wanted = ({ name, isNeeded }) =>
  isNeeded || positionals.length === 0 || positionals.some((part) => name.startsWith(part));
const results = { machine: machine(), node: process.version, products, attention, tiny, parts: {} };
const numFailed = await runParts(plan.filter(wanted), (name, outcome, seconds) => {
  results.parts[name] = outcome;
  writeFileSync(out, JSON.stringify(results, null, 2));
  console.log(`${name}  ${seconds.toFixed(1)} s  ${JSON.stringify(outcome)}`);
});
process.exit(numFailed === 0 ? 0 : 1);
