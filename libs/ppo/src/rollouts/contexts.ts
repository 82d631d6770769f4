import { StagecraftError } from "@stagecraft/core";
import { answerProblems, headProblems, modelFacts, type Forecast } from "@stagecraft/runs";
import { loadTokenizerOf, readModelInfo } from "@stagecraft/model";
import type { ChosenTemplate, Tokenizer } from "@stagecraft/tokenizer";
import { furtherRewardModel, type PpoConfig } from "../stage/config.js";

/** A model that reads whole conversations, and how long they may be. */
export interface AnswerContext {
  /** For messages: `reward model runs/reward/model`. */
  name: string;
  maxPositions: number;
  tokenizer: Tokenizer;
}

/**
 * Everything that reads a prompt with its answer: policy, reference, reward model (also the critic's
 * trunk) and further reward models. Those that are on another machine alone are left out.
 */
export async function answerContexts(config: PpoConfig): Promise<AnswerContext[]> {
  const { policy, reference, rewardModel, rewardModels } = config;
  const needed: [string, string, ChosenTemplate?][] = [
    ["policy", policy, config],
    ...(reference === ""
      ? []
      : ([["reference", reference, config]] as [string, string, PpoConfig][])),
    ["reward model", rewardModel], // renders by its own template
  ];
  const further = rewardModels.map((entry) => furtherRewardModel(entry).dir);
  return [
    ...(await Promise.all(needed.map(([role, dir, chosen]) => contextOf(role, dir, chosen)))),
    ...(await Promise.all(further.map(furtherContext))).flat(),
  ];
}

/** Problems of models that show before any work; see StageDefinition. */
export async function ppoProblems(config: PpoConfig, ahead: Forecast): Promise<string[]> {
  const { policy, reference, rewardModel, maxNewTokens } = config;
  const further = config.rewardModels.map((entry) => furtherRewardModel(entry).dir);
  const readers = [policy, reference, rewardModel, ...further].filter((dir) => dir !== "");
  return [
    ...(await answerProblems(maxNewTokens, readers, ahead)),
    ...(await headProblems("lm", { policy, reference }, ahead)),
    ...(await headProblems("score", { rewardModel }, ahead)),
  ];
}

/** What PPO leaves; see StageDefinition. */
export async function ppoOutputs({ policy, inspectRollouts }: PpoConfig, ahead: Forecast) {
  const model = await modelFacts(policy, ahead);
  return { model, ...(inspectRollouts > 0 && { rollouts: {} }) };
}

/** The context that leaves the least room. */
export function smallestContext(contexts: readonly AnswerContext[]): AnswerContext {
  return contexts.reduce((a, b) => (b.maxPositions < a.maxPositions ? b : a));
}

async function contextOf(
  role: string,
  dir: string,
  chosen: ChosenTemplate = {},
): Promise<AnswerContext> {
  const { config } = await readModelInfo(dir);
  const tokenizer = await loadTokenizerOf(dir, chosen);
  return { name: `${role} ${dir}`, maxPositions: config.maxPositions, tokenizer };
}

async function furtherContext(dir: string): Promise<AnswerContext[]> {
  try {
    return [await contextOf("reward model", dir)];
  } catch (thrown) {
    if (StagecraftError.from(thrown).code === "not_found") return [];
    throw thrown;
  }
}
