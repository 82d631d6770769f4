import type { StageDefinition } from "@stagecraft/runs";
import { ppoSchema, ppoStage } from "@stagecraft/ppo";
import type { RewardPort } from "@stagecraft/service-rollout";
import type { World } from "@stagecraft/world";
import type { z } from "zod";
import { runPpoOverServices } from "@stagecraft/pipeline";
import { worldFields, worldOf } from "./world-fields.js";

const schema = ppoSchema.extend(worldFields);

/** `ppo` that also logs the gold score of every answer, so that reward hacking can be seen. */
export const goldPpoStage: StageDefinition<z.infer<typeof schema>> = {
  ...ppoStage,
  name: "gold-ppo",
  summary: "improve the SFT model against the reward model by PPO, through the real services",
  schema,
  examples: [],
  run({ worldSize, worldSeed, ...config }, context) {
    const gold = goldPort(worldOf({ worldSize, worldSeed }));
    return runPpoOverServices(config, context, [gold]);
  },
};

function goldPort(world: World): RewardPort {
  return {
    score({ messages }) {
      const conversation = messages as Parameters<World["goldScore"]>[0]["messages"];
      const prompt = { id: "rollout", messages: conversation.slice(0, -1) };
      const value = world.goldScore(prompt, conversation.at(-1)?.content ?? "").total;
      return Promise.resolve({ source: "gold", version: "1", value });
    },
  };
}
