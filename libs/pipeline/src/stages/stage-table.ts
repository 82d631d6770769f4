import type { RankerDefinition } from "../loop/ranker-definition.js";
import type { AnyStage } from "../runner/plan.js";

/**
 * Every stage that a pipeline file may name; `rankers` may rank in its loop. Loads the tensor engine's
 * libraries.
 */
export async function loadStages(
  rankers: readonly RankerDefinition[] = [],
): Promise<ReadonlyMap<string, AnyStage>> {
  const { collectStage, dpoStage, pretrainStage, rewardStage, sftStage } =
    await import("@stagecraft/learn");
  const { tokenizerStage } = await import("./tokenizer-stage.js");
  const { promptsStage } = await import("./prompts-stage.js");
  const { rankStage } = await import("./rank-stage.js");
  const { ppoOverServices } = await import("./ppo-stage.js");
  const { createLoopStage } = await import("../loop/loop-stage.js");
  const { evaluateStage } = await import("@stagecraft/eval");
  const stages: AnyStage[] = [
    tokenizerStage,
    pretrainStage,
    sftStage,
    promptsStage,
    collectStage,
    rankStage,
    rewardStage,
    dpoStage,
    ppoOverServices,
    createLoopStage({ rankers }),
    evaluateStage,
  ];
  return new Map(stages.map((stage) => [stage.name, stage]));
}
