// Writes the random reward model of the scoring benchmarks: reward-model.mjs FOLDER SHAPE(JSON).
import { initEngine } from "@stagecraft/tensor";
import { writePpoModels } from "./ppo-models.mjs";

const [folder, shape] = process.argv.slice(2);
await initEngine({ engine: "cpu" });
await writePpoModels(folder, JSON.parse(shape), { promptTokens: 32, numPrompts: 1 });
