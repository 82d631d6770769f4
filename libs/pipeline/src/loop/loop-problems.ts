import { StagecraftError } from "@stagecraft/core";
import { rewardStage, sftStage, type RewardConfig, type SftConfig } from "@stagecraft/learn";
import { answerProblems, headProblems, type Forecast } from "@stagecraft/runs";
import { ppoConfigProblems, ppoSchema, type PpoConfig } from "@stagecraft/ppo";
import type { LoopConfig } from "./loop-config.js";
import { stageConfig } from "./stage-config.js";

/** Settings that need each other. */
export function loopContradictions({ ranker, rankCommand }: LoopConfig): string[] {
  if (ranker !== "command" || rankCommand !== "") return [];
  return ["ranker command needs rankCommand, the program that ranks"];
}

/** What would stop a round that has cost people's time: the files of its stages, models that do not fit. */
export async function loopProblems(config: LoopConfig, ahead: Forecast): Promise<string[]> {
  const { policy, reference, rewardModel, rewardStart, maxNewTokens } = config;
  const readers = [policy, reference, rewardModel, rewardStart].filter((dir) => dir !== "");
  return [
    ...(await answerProblems(maxNewTokens, readers, ahead)),
    ...(await headProblems("lm", { policy, reference }, ahead)),
    ...(await headProblems("score", { rewardModel }, ahead)),
    ...(await rewardProblems(config, ahead)),
    ...(await ppoProblemsOf(config)),
    ...(await sftProblems(config, ahead)),
  ];
}

async function rewardProblems(config: LoopConfig, ahead: Forecast): Promise<string[]> {
  const model = config.rewardStart || config.policy;
  return await problemsIn("rewardConfig", async () => {
    const own = { model, data: config.prompts, validationData: [] };
    const reward = await stageConfig<RewardConfig>(rewardStage, config.rewardConfig, own);
    return (await rewardStage.problems?.(reward, ahead)) ?? [];
  });
}

async function sftProblems(config: LoopConfig, ahead: Forecast): Promise<string[]> {
  if (config.sftEvery === 0) return [];
  return await problemsIn("sftConfig", async () => {
    const own = { model: config.policy, data: config.prompts, validationData: [] };
    const sft = await stageConfig<SftConfig>(sftStage, config.sftConfig, own);
    return (await sftStage.problems?.(sft, ahead)) ?? [];
  });
}

function ppoProblemsOf({ policy, prompts, ppoConfig: file }: LoopConfig): Promise<string[]> {
  return problemsIn("ppoConfig", async () => {
    const own = { policy, rewardModel: policy, prompts };
    return ppoConfigProblems(await stageConfig<PpoConfig>({ schema: ppoSchema }, file, own));
  });
}

async function problemsIn(field: string, look: () => Promise<string[]>): Promise<string[]> {
  try {
    return (await look()).map((problem) => `${field}: ${problem}`);
  } catch (thrown) {
    return [`${field}: ${StagecraftError.from(thrown).reason}`];
  }
}
