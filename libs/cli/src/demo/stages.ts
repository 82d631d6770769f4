import { type AnyStage, loadStages } from "@stagecraft/pipeline";
import { goldPpoStage } from "./gold-ppo-stage.js";
import { judgeStage } from "./judge-stage.js";
import { labelersStage } from "./labelers-stage.js";
import { worldRanker } from "./world-ranker.js";
import { worldStage } from "./world-stage.js";

/** Every stage of a pipeline file, and those that only make sense in the demo's world. */
export async function loadDemoStages(): Promise<ReadonlyMap<string, AnyStage>> {
  const own: AnyStage[] = [worldStage, labelersStage, goldPpoStage, judgeStage];
  return new Map([
    ...(await loadStages([worldRanker])),
    ...own.map((stage): [string, AnyStage] => [stage.name, stage]),
  ]);
}
