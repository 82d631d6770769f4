// Puts together what a GPU machine without this repository and without a network needs beside Node:
//   node bench/gpu/bundle.mjs [FOLDER]      default .stagecraft/gpu, some MB
// There: `node FOLDER/dist/run.mjs --plugin FILE --python python3 --peer FOLDER/torch_step.py`.
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { bundleScript } from "./bundle-script.mjs";

const root = join(import.meta.dirname, "..", "..");
const out = process.argv[2] ?? join(root, ".stagecraft", "gpu");
await bundleScript(out);
mkdirSync(join(out, "build"), { recursive: true });
const addon = "stagecraft_xla.node";
cpSync(join(root, "libs", "tensor-xla", "build", addon), join(out, "build", addon));
cpSync(join(import.meta.dirname, "torch_step.py"), join(out, "torch_step.py"));
console.log(out);
