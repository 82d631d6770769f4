import { createRandom, deriveSeed } from "@stagecraft/core";
import type { RankerDefinition } from "@stagecraft/pipeline";
import { z } from "zod";
import { worldFields, worldOf } from "./world-fields.js";

const { worldSize, worldSeed } = worldFields;
const fields = {
  worldSize: worldSize.default("demo").describe("Ranker world: which size it has"),
  worldSeed: worldSeed.default(1).describe("Ranker world: its seed"),
};
const configSchema = z.object({ ...fields, seed: z.number() });

/** The demo's labelers: the world's rubric, seen through noise that depends on round and prompt. */
export const worldRanker: RankerDefinition = {
  name: "world",
  doc: "the demo's raters",
  fields,
  create(config) {
    const { seed, ...ofWorld } = configSchema.parse(config);
    const world = worldOf(ofWorld);
    return ({ id, kind, prompt, answers }, round) => {
      const noise = createRandom(deriveSeed(seed, "raters", round));
      const record = { id, messages: prompt, ...(kind !== undefined && { kind }) };
      return world.rate(record, answers, noise.fork(id));
    };
  },
};
