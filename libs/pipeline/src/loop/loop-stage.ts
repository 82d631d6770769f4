import { join } from "node:path";
import { present, throwIfAborted, type JsonObject } from "@stagecraft/core";
import {
  defineStage,
  modelFacts,
  type StageDefinition,
  type StageResult,
  type StageScope,
} from "@stagecraft/runs";
import { loopInputs, loopSchemaWith, type LoopConfig } from "./loop-config.js";
import { loopContradictions, loopProblems } from "./loop-problems.js";
import {
  initialState,
  readLoopState,
  writeLoopState,
  type LoopModels,
  type LoopState,
} from "./loop-state.js";
import { openLoopModels } from "./loop-models.js";
import { noReports } from "./loop-reports.js";
import { openLoopReports } from "./open-loop-reports.js";
import { localPlace, type LoopPlace } from "./place.js";
import { rankerFor } from "./ranker.js";
import type { LoopRanker, RankerDefinition } from "./ranker-definition.js";
import { roundTable } from "./round-table.js";
import type { RoundScope } from "./round.js";
import { runRound } from "./run-round.js";

export interface LoopDependencies {
  /** Rankers that the configuration may name, beside the loop's own. */
  rankers?: readonly RankerDefinition[];
  /** Ranks in place of whom the configuration names. */
  ranker?: LoopRanker;
  /** Where the steps are computed; default: in this process. */
  place?: LoopPlace;
}

/** The loop: people rank, the reward model learns from them, the policy from it, again and again. */
export function createLoopStage(dependencies: LoopDependencies = {}): StageDefinition<LoopConfig> {
  const schema = loopSchemaWith(dependencies.rankers ?? []);
  return defineStage<LoopConfig>({
    name: "loop",
    summary: "collect, rank, reward model, PPO, round after round until stopped",
    schema,
    examples: [
      "npx stagecraft loop --policy runs/sft/model --prompts prompts.jsonl --run runs/loop",
      "npx stagecraft loop --policy runs/sft/model --reward-model runs/reward/model --rankings rankings.jsonl --prompts prompts.jsonl --rounds 3 --run runs/loop",
      "npx stagecraft loop --policy runs/sft/model --prompts prompts.jsonl --ranker reference --rounds 2 --updates 20 --run runs/loop-alone",
      "npx stagecraft loop --policy runs/sft/model --prompts prompts.jsonl --ranker feedback --feedback-address 127.0.0.1:50055 --min-rankings 64 --run runs/loop",
    ],
    inputs: loopInputs,
    contradictions: loopContradictions,
    problems: loopProblems,
    mayChange: [
      ...(["rounds", "pollMs"] as const),
      // What the loop waits for before it goes on.
      ...(["minRankings", "minRankedShare", "maxWaitHours", "minHeldOutPairs"] as const),
      ...(["minDemonstrations"] as const),
      // Where it is written down which models are in use.
      ...(["registry"] as const),
      // Who ranks and writes, and where they are found; what they say is kept with its round.
      ...(["ranker", "rankCommand", "inbox", "demonstrationInbox"] as const),
      ...(["feedbackAddress", "feedbackTokenFile", "feedbackAllowPlaintext"] as const),
      ...(["feedbackTlsCa", "feedbackTlsCert", "feedbackTlsKey"] as const),
    ],
    outputs: async ({ policy }, ahead) => {
      const model = await modelFacts(policy, ahead);
      return { model, rewardModel: model, rounds: {} };
    },
    leaves: {
      rounds: "work",
      "loop.jsonl": "work",
      "loop-state.json": "scratch",
      "models.json": "work",
    },
    // The loop's state knows: rounds may be left, or somebody has rolled back.
    hasMore: () => true,
    work: (config, scope) => loop(config, { ...scope, ...dependencies }),
  });
}

async function loop(
  config: LoopConfig,
  scope: LoopDependencies & StageScope,
): Promise<StageResult> {
  const { run, context } = scope;
  const { rankers = [], ranker = rankerFor(config, rankers) } = scope;
  const { reporter } = context;
  const reports = ranker ? noReports : await openLoopReports(config, { runDir: run.dir, reporter });
  try {
    const told = { ...context, reporter: reports.listening(reporter) };
    const result = await runRounds(config, { ...scope, context: told, ranker, reports });
    reports.ended();
    return result;
  } catch (thrown) {
    reports.ended(thrown);
    throw thrown;
  } finally {
    await reports.close();
  }
}

async function runRounds(
  config: LoopConfig,
  scope: StageScope & Pick<RoundScope, "ranker" | "reports"> & Pick<LoopDependencies, "place">,
): Promise<StageResult> {
  const { run, context, ranker, reports, place = localPlace } = scope;
  const { registry } = config;
  const models = openLoopModels(run.dir, { registry, reporter: context.reporter });
  const round = { config, context, runDir: run.dir, ranker, place, models, reports };
  let state = await readLoopState(run.dir, initialState(startOf(config)));
  state = await models.settle(state);
  if (state.rounds.length > 0) context.reporter.info(roundTable(state.rounds));
  reports.goesOn(state.rounds);
  while (config.rounds === 0 || state.rounds.length < config.rounds) {
    throwIfAborted(context.signal);
    reports.begins(state.rounds.length + 1);
    state = await runRound(state, round);
    await writeLoopState(run.dir, state);
    const { policy } = state;
    state = await models.settle(state);
    if (state.policy !== policy) await writeLoopState(run.dir, state);
    reports.finished(state.rounds.at(-1)!);
    const record = { stage: "loop", kind: "round", ...state.rounds.at(-1)! };
    run.metrics.write(record as unknown as JsonObject);
    context.reporter.metrics(record as unknown as JsonObject);
    context.reporter.info(roundTable(state.rounds));
  }
  return resultOf(state, run.dir);
}

function startOf({ policy, reference, rewardModel, klCoef }: LoopConfig): LoopModels {
  return { policy, reference: reference || policy, rewardModel, klCoef };
}

function resultOf({ rounds, policy, rewardModel, klCoef }: LoopState, dir: string): StageResult {
  const { score, kl } = rounds.at(-1) ?? {};
  const figures = present({ score: score ?? undefined, kl: kl ?? undefined });
  const promotions = rounds.filter(({ promoted }) => promoted).length;
  return {
    modelDir: policy,
    outputs: { rewardModel, rounds: join(dir, "loop.jsonl") },
    metrics: { rounds: rounds.length, promotions, ...figures, klCoef },
  };
}
