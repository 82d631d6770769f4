import { join } from "node:path";
import { decimal, text, whole } from "@stagecraft/fields";
import { z } from "zod";
import { createRandom, deriveSeed } from "@stagecraft/core";
import { writeRankings, type Ranking } from "@stagecraft/data";
import { dataInputs, defineStage } from "@stagecraft/runs";
import { bayesPairAccuracy } from "@stagecraft/world";
import { readAnswers } from "@stagecraft/pipeline";
import { worldFields, worldOf } from "./world-fields.js";

const schema = z.strictObject({
  answers: text().describe("Sampled answers (JSONL), as `collect` writes them"),
  ...worldFields,
  heldOutShare: decimal({ min: 0.01, max: 0.5, default: 0.15 }).describe(
    "Rankings kept for validation",
  ),
  seed: whole({ default: 1 }).describe("Seed of the labelers' noise"),
});

/** The world's labelers order the sampled answers: the rubric, seen through noise. */
export const labelersStage = defineStage<z.infer<typeof schema>>({
  name: "labelers",
  summary: "the world's labelers rank the sampled answers",
  schema,
  inputs: ({ answers }) => dataInputs({ answers: [answers] }),
  outputs: () => Promise.resolve({ rankings: {}, heldOut: {} }),
  examples: [],
  leaves: { "rankings.jsonl": "work", "rankings-heldout.jsonl": "work" },
  async work(config, { run }) {
    const world = worldOf(config);
    const noise = createRandom(deriveSeed(config.seed, "raters"));
    const records = await readAnswers(config.answers);
    const rankings: Ranking[] = records.map(({ id, kind, prompt, answers }) => {
      const record = { id, messages: prompt, ...(kind !== undefined && { kind }) };
      return world.rate(record, answers, noise.fork(id));
    });
    const numHeldOut = Math.max(1, Math.round(rankings.length * config.heldOutShare));
    const heldOut = rankings.slice(-numHeldOut);
    const outputs = {
      rankings: join(run.dir, "rankings.jsonl"),
      heldOut: join(run.dir, "rankings-heldout.jsonl"),
    };
    await writeRankings(outputs.rankings, rankings.slice(0, -numHeldOut));
    await writeRankings(outputs.heldOut, heldOut);
    const bayes = bayesPairAccuracy(heldOut);
    const metrics = {
      rankings: rankings.length,
      heldOutPairs: bayes.numPairs,
      bestAccuracy: bayes.expected,
    };
    return { outputs, metrics };
  },
});
