/**
 * One round of the loop: (SFT →) collect → rank → reward model → PPO → publish. Every step leaves its
 * result in the round's directory and resumes from there, so a round that was interrupted anywhere goes
 * on exactly.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createRandom, deriveSeed } from "@stagecraft/core";
import { writeJsonl, type PromptRecord } from "@stagecraft/data";
import { collectStage, readUsablePrompts, type CollectConfig } from "@stagecraft/learn";
import { readModelInfo } from "@stagecraft/model";
import { ppoSchema, type PpoConfig } from "@stagecraft/ppo";
import type { StageResult } from "@stagecraft/runs";
import { loadTokenizer } from "@stagecraft/tokenizer";
import { improveRewardModel } from "./improve-reward-model.js";
import { learnDemonstrations } from "./learn-demonstrations.js";
import type { LoopRound, LoopState } from "./loop-state.js";
import { rank } from "./rank-round.js";
import { commonConfig, stepOf, type Round, type RoundScope } from "./round.js";
import { roundDir } from "./round-dir.js";
import { stageConfig } from "./stage-config.js";

/** Runs the next round from a state, and returns the state after it. */
export async function runRound(before: LoopState, scope: RoundScope): Promise<LoopState> {
  const number = before.rounds.length + 1;
  const startMs = Date.now();
  const dir = roundDir(scope.runDir, number);
  const numAsides = await scope.models.begin(before, number);
  await mkdir(dir, { recursive: true });
  const begun = { ...scope, state: before, number, dir, numAsides };
  const { numDemonstrations, ...learnt } = await learnDemonstrations(begun);
  const state = { ...before, ...learnt };
  const round: Round = { ...begun, state };
  const collected = await collect(round);
  const ranked = await rank(round, collected.outputs["answers"]!);
  const reward = await improveRewardModel(round);
  const ppo = await improvePolicy(round, reward.rewardModel);
  const policy = ppo.modelDir!;
  if (await scope.models.isStillCurrent(number)) {
    await scope.place.publish(policy, stepOf(round, "publish"));
  }
  const { score, kl, klCoef = state.klCoef, evalScore } = ppo.metrics;
  const row: LoopRound = {
    round: number,
    newDemonstrations: numDemonstrations,
    answers: collected.metrics["answers"] ?? 0,
    newRankings: ranked.numRankings,
    ...reward,
    score: score ?? null,
    evalScore: evalScore ?? null,
    kl: kl ?? null,
    klCoef,
    policy,
    reference: state.reference,
    elapsedMs: Date.now() - startMs,
  };
  return {
    ...state,
    policy,
    rewardModel: row.rewardModel,
    klCoef,
    consumed: [...state.consumed, ...ranked.files],
    ...(ranked.position !== undefined && { feedbackPosition: ranked.position }),
    rounds: [...state.rounds, row],
  };
}

async function collect(round: Round): Promise<StageResult> {
  const { config, state, dir, place } = round;
  const prompts = join(dir, "prompts.jsonl");
  if (!existsSync(prompts)) await writeJsonl(prompts, await choosePrompts(round));
  const { temperature, samplesPerPrompt, maxNewTokens } = config;
  const collectConfig = await stageConfig<CollectConfig>(collectStage, undefined, {
    model: state.policy,
    prompts: [prompts],
    temperature,
    samplesPerPrompt,
    maxNewTokens,
    ...commonConfig(round),
  });
  return place.run(collectStage, collectConfig, stepOf(round, "collect"));
}

/** Prompts of a round, drawn anew from all that the policy has room for. */
async function choosePrompts({ config, number, state, context }: Round): Promise<PromptRecord[]> {
  const { maxPositions } = (await readModelInfo(state.policy)).config;
  const tokenizer = await loadTokenizer(state.policy);
  const readers = [{ name: state.policy, tokenizer, maxPositions }];
  const prompts = await readUsablePrompts(config.prompts, { readers }, context);
  const random = createRandom(deriveSeed(config.seed, "loop prompts", number));
  return random.shuffle(prompts).slice(0, config.promptsPerRound);
}

async function improvePolicy(round: Round, rewardModel: string): Promise<StageResult> {
  const { config, state, place } = round;
  const { prompts, evalPrompts, temperature, maxNewTokens, updates } = config;
  const ppoConfig = await stageConfig<PpoConfig>({ schema: ppoSchema }, config.ppoConfig, {
    policy: state.policy,
    reference: state.reference,
    rewardModel,
    prompts,
    evalPrompts,
    temperature,
    maxNewTokens,
    klCoef: state.klCoef,
    ...(updates > 0 && { updates }),
    ...commonConfig(round),
  });
  return place.runPpo(ppoConfig, stepOf(round, "ppo"));
}
