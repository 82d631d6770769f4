import { join } from "node:path";
import type { StageDefinition } from "@stagecraft/runs";
import { z } from "zod";
import { localPlace, type LoopPlace } from "./place.js";
import { rollBack } from "./roll-back.js";
import { roundDir } from "./round-dir.js";

/**
 * Rolls the loop of the run directory back instead of running it, and has the policies of its place
 * serve the model that is current then. It has no configuration.
 */
export function rollbackStage(to: number, place: LoopPlace = localPlace): StageDefinition<object> {
  return {
    name: "loop",
    summary: "make the models of an earlier round the current ones",
    schema: z.strictObject({}),
    examples: [],
    async run(_config, context) {
      const { runDir } = context;
      const { state, numPromotions } = await rollBack(runDir, to);
      const { policy, rewardModel, rounds } = state;
      const dir = roundDir(runDir, rounds.length + 1);
      const step = { dir, name: `publish-back-${numPromotions}`, numAsides: 0, context };
      await place.publish(policy, step);
      const next = rounds.length + 1;
      context.reporter.info(
        `round ${next} will start from ${to === 0 ? "the models that the loop began with" : `what round ${to} left`}; --resume goes on`,
      );
      return {
        modelDir: policy,
        outputs: {
          ...(rewardModel !== "" && { rewardModel }),
          state: join(runDir, "loop-state.json"),
        },
        metrics: { rounds: rounds.length, rolledBackTo: to },
      };
    },
  };
}
