import { createEvaluateStage, evaluateSchema } from "@stagecraft/eval";
import type { StageDefinition } from "@stagecraft/runs";
import { COURTESIES } from "@stagecraft/world";
import type { z } from "zod";
import { worldFields, worldOf } from "./world-fields.js";

const schema = evaluateSchema.extend(worldFields);

/** `evaluate` with the world's noise-free rubric as a further judge, under the name `gold`. */
export const judgeStage: StageDefinition<z.infer<typeof schema>> = {
  name: "judge",
  summary: "held-out prompts: base, SFT and PPO model against each other, by the noise-free rubric",
  schema,
  inputs: (config) => createEvaluateStage().inputs!(config),
  examples: [],
  run({ worldSize, worldSeed, ...config }, context) {
    const world = worldOf({ worldSize, worldSeed });
    const gold = (...[prompt, answer]: Parameters<typeof world.goldScore>) =>
      world.goldScore(prompt, answer).total;
    const stage = createEvaluateStage({ scorers: { gold } });
    return stage.run({ ...config, courtesies: [...COURTESIES] }, context);
  },
};
