/**
 * One round of the loop: collect → rank → reward model → PPO. Every step leaves its result in the
 * round's directory and resumes from there, so a round that was interrupted anywhere goes on exactly.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createRandom, deriveSeed, StagecraftError, throwIfAborted } from "@stagecraft/core";
import { writeJsonl, type PromptRecord } from "@stagecraft/data";
import {
  collectStage,
  readRequests,
  rewardStage,
  type CollectConfig,
  type RewardConfig,
} from "@stagecraft/learn";
import type { StageContext, StageResult } from "@stagecraft/runs";
import { readModelInfo } from "@stagecraft/model";
import { ppoSchema, type PpoConfig } from "@stagecraft/ppo";
import { loadTokenizer } from "@stagecraft/tokenizer";
import type { LoopRound, LoopState } from "./loop-state.js";
import { gatherPool, writePool } from "./pool.js";
import { beats, judgeRewardModel, type Judgement } from "./promotion.js";
import { rank } from "./rank-round.js";
import { rankingFiles, roundDir, type Round, type RoundScope } from "./round.js";
import { stageConfig } from "./stage-config.js";

/** Runs the next round from a state, and returns the state after it. */
export async function runRound(state: LoopState, scope: RoundScope): Promise<LoopState> {
  const number = state.rounds.length + 1;
  const startMs = Date.now();
  const round = { ...scope, state, number, dir: roundDir(scope.runDir, number) };
  await mkdir(round.dir, { recursive: true });
  const collected = await collect(round);
  const ranked = await rank(round, collected.outputs["answers"]!);
  const reward = await improveRewardModel(round);
  const ppo = await improvePolicy(round, reward.rewardModel);
  const { score, kl, klCoef, evalScore } = ppo.metrics;
  const row: LoopRound = {
    round: number,
    answers: collected.metrics["answers"] ?? 0,
    newRankings: ranked.numRankings,
    ...reward,
    score: score ?? null,
    evalScore: evalScore ?? null,
    kl: kl ?? null,
    klCoef: klCoef ?? state.klCoef,
    policy: ppo.modelDir!,
    elapsedMs: Date.now() - startMs,
  };
  return {
    ...state,
    policy: row.policy,
    rewardModel: row.rewardModel,
    klCoef: row.klCoef,
    consumed: [...state.consumed, ...ranked.files],
    ...(ranked.position !== undefined && { feedbackPosition: ranked.position }),
    rounds: [...state.rounds, row],
  };
}

async function collect(round: Round): Promise<StageResult> {
  const { config, state, dir, context } = round;
  const prompts = join(dir, "prompts.jsonl");
  if (!existsSync(prompts)) await writeJsonl(prompts, await choosePrompts(round));
  const { temperature, samplesPerPrompt, maxNewTokens } = config;
  const collectConfig = await stageConfig<CollectConfig>(collectStage, undefined, {
    model: state.policy,
    prompts: [prompts],
    temperature,
    samplesPerPrompt,
    maxNewTokens,
    ...common(round),
  });
  return collectStage.run(collectConfig, within(context, join(dir, "collect")));
}

/** Requests of a round, drawn anew from all that the policy has room for. */
async function choosePrompts({ config, number, state, context }: Round): Promise<PromptRecord[]> {
  const { maxPositions } = (await readModelInfo(state.policy)).config;
  const tokenizer = await loadTokenizer(state.policy);
  const readers = [{ name: state.policy, tokenizer, maxPositions }];
  const prompts = await readRequests(config.prompts, { readers }, context);
  const random = createRandom(deriveSeed(config.seed, "loop prompts", number));
  return random.shuffle(prompts).slice(0, config.promptsPerRound);
}

type RewardPart = Pick<
  LoopRound,
  | "poolRankings"
  | "heldOutPairs"
  | "inUseAccuracy"
  | "candidateAccuracy"
  | "promoted"
  | "rewardModel"
>;

/** Trains a candidate on every ranking so far; it takes over only if it beats the model in use. */
async function improveRewardModel(round: Round): Promise<RewardPart> {
  const { config, state, runDir, number, dir, context } = round;
  const pool = await gatherPool(config, rankingFiles(runDir, number), context.reporter);
  const judge = (model: string) => judgeRewardModel(model, pool.heldOut);
  const inUse = state.rewardModel === "" ? undefined : await judge(state.rewardModel);
  const candidate = pool.train.length === 0 ? undefined : await trainCandidate(round, pool);
  throwIfAborted(context.signal);
  const judged = candidate === undefined ? undefined : await judge(candidate);
  const promoted = judged !== undefined && (inUse === undefined || beats(judged, inUse));
  const rewardModel = promoted ? candidate! : state.rewardModel;
  if (rewardModel === "") throw noRewardModel(dir);
  const judgement = promoted ? judged : inUse;
  checkJudgement(judgement, round);
  return {
    poolRankings: pool.train.length,
    heldOutPairs: judgement?.numPairs ?? 0,
    inUseAccuracy: accuracyOf(inUse),
    candidateAccuracy: accuracyOf(judged),
    promoted,
    rewardModel,
  };
}

async function trainCandidate(
  round: Round,
  pool: Awaited<ReturnType<typeof gatherPool>>,
): Promise<string> {
  const { config, dir, context } = round;
  const rewardConfig = await stageConfig<RewardConfig>(rewardStage, config.rewardConfig, {
    model: config.rewardStart || config.policy,
    data: [await writePool(dir, pool)],
    // The loop's held-out rankings judge; the stage chooses its weights by others.
    validationData: [],
    ...common(round),
  });
  const { modelDir } = await rewardStage.run(rewardConfig, within(context, join(dir, "reward")));
  return modelDir!;
}

async function improvePolicy(round: Round, rewardModel: string): Promise<StageResult> {
  const { config, state, dir, context } = round;
  const { prompts, evalPrompts, temperature, maxNewTokens, updates } = config;
  const ppoConfig = await stageConfig<PpoConfig>({ schema: ppoSchema }, config.ppoConfig, {
    policy: state.policy,
    reference: config.reference || config.policy,
    rewardModel,
    prompts,
    evalPrompts,
    temperature,
    maxNewTokens,
    klCoef: state.klCoef,
    ...(updates > 0 && { updates }),
    ...common(round),
  });
  return round.runPpo(ppoConfig, within(context, join(dir, "ppo")));
}

function common({ config, number }: Round) {
  const { engine, threads, seed } = config;
  return { engine, threads, seed: deriveSeed(seed, "round", number) >>> 1 };
}

/** A step's own run directory; a step that is done already does nothing. */
function within(context: StageContext, runDir: string): StageContext {
  return { ...context, runDir, resume: true, overwrite: false };
}

/** No PPO on a reward model that too few held-out pairs speak for. */
function checkJudgement(judgement: Judgement | undefined, { config, context }: Round): void {
  const { numPairs = 0, accuracy = NaN } = judgement ?? {};
  const { minHeldOutPairs } = config;
  if (numPairs < minHeldOutPairs) {
    throw new StagecraftError(
      "failed_precondition",
      `no PPO: the reward model can be judged on ${numPairs} held-out pairs only, minHeldOutPairs asks for ${minHeldOutPairs}; start a loop with heldOutRankings or more promptsPerRound, or --resume this one with a smaller --min-held-out-pairs`,
    );
  }
  if (numPairs === 0) {
    context.reporter.warn("PPO follows a reward model that no held-out ranking has judged");
  } else if (accuracy <= 0.5) {
    context.reporter.warn(
      `PPO follows a reward model that orders ${(100 * accuracy).toFixed(0)} % of ${numPairs} held-out pairs as people did: no better than chance`,
    );
  }
}

function accuracyOf(judgement: Judgement | undefined): number | null {
  return judgement?.accuracy ?? null;
}

function noRewardModel(dir: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `${dir} has no ranking to train a reward model on, and none is in use; give rewardModel or rankings`,
  );
}
