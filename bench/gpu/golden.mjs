// Writes golden.json: the losses of the native engine that those of a GPU are compared with (then `npm run format`).
import { writeFileSync } from "node:fs";
import { initEngine } from "@stagecraft/tensor";
import { GOLDEN } from "./shapes.mjs";
import { createTraining } from "./training.mjs";

await initEngine({ engine: "native", numThreads: 1 });
const training = createTraining(GOLDEN);
const losses = Array.from({ length: 20 }, () => training.step());
writeFileSync(new URL("golden.json", import.meta.url), `${JSON.stringify({ losses })}\n`);
process.exit(0);
