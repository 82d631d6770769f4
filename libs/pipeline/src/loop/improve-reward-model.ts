import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { rewardStage, type RewardConfig } from "@stagecraft/learn";
import type { LoopRound } from "./loop-state.js";
import { gatherPool, writePool, type RankingPool } from "./pool.js";
import { compareRewardModels, judgeRewardModel, type Judgement } from "./promotion.js";
import { commonConfig, stepOf, type Round } from "./round.js";
import { rankingFiles } from "./round-dir.js";
import type { SignTest } from "./sign-test.js";
import { stageConfig } from "./stage-config.js";

/** What the step adds to its round's record. */
export type RewardPart = Pick<
  LoopRound,
  | "poolRankings"
  | "heldOutPairs"
  | "inUseAccuracy"
  | "candidateAccuracy"
  | "wins"
  | "trials"
  | "pValue"
  | "promoted"
  | "rewardModel"
>;

/**
 * Trains a candidate on every ranking so far. It takes over when the held-out rankings show that it is
 * better (`promotionLevel`), and as the first reward model of a loop. Throws `failed_precondition` when
 * too few held-out pairs speak for whichever PPO would follow.
 */
export async function improveRewardModel(round: Round): Promise<RewardPart> {
  const { config, state, runDir, number, dir, context } = round;
  const pool = await gatherPool(config, rankingFiles(runDir, number), context.reporter);
  const judge = (model: string) => judgeRewardModel(model, pool.heldOut);
  const inUse = state.rewardModel === "" ? undefined : await judge(state.rewardModel);
  const candidate = pool.train.length === 0 ? undefined : await trainCandidate(round, pool);
  throwIfAborted(context.signal);
  const judged = candidate === undefined ? undefined : await judge(candidate);
  const test = judged && inUse && compareRewardModels(judged, inUse);
  const promoted = judged !== undefined && (!test || test.p < config.promotionLevel);
  const rewardModel = promoted ? candidate! : state.rewardModel;
  if (rewardModel === "") throw noRewardModel(dir);
  if (judged) context.reporter.info(promotionText(round, { judged, inUse, test, promoted }));
  const judgement = promoted ? judged : inUse;
  checkJudgement(judgement, round);
  return {
    poolRankings: pool.train.length,
    heldOutPairs: judgement?.numPairs ?? 0,
    inUseAccuracy: inUse?.accuracy ?? null,
    candidateAccuracy: judged?.accuracy ?? null,
    wins: test?.wins ?? null,
    trials: test?.trials ?? null,
    pValue: test?.p ?? null,
    promoted,
    rewardModel,
  };
}

async function trainCandidate(round: Round, pool: RankingPool): Promise<string> {
  const { config, dir, place } = round;
  const rewardConfig = await stageConfig<RewardConfig>(rewardStage, config.rewardConfig, {
    model: config.rewardStart || config.policy,
    data: [await writePool(dir, pool)],
    // The loop's held-out rankings judge; the stage chooses its weights by others.
    validationData: [],
    ...commonConfig(round),
  });
  return (await place.run(rewardStage, rewardConfig, stepOf(round, "reward"))).modelDir!;
}

interface Outcome {
  judged: Judgement;
  inUse: Judgement | undefined;
  test: SignTest | undefined;
  promoted: boolean;
}

/** For people: both accuracies, n, p, and what follows. */
export function promotionText(
  { number, config }: Pick<Round, "number" | "config">,
  { judged, inUse, test, promoted }: Outcome,
): string {
  const who = `round ${number}: the new reward model`;
  const share = ({ accuracy }: Judgement) =>
    accuracy === undefined ? "none" : `${(100 * accuracy).toFixed(1)} %`;
  const pairs = `${share(judged)} of ${judged.numPairs} held-out pairs`;
  if (!test || !inUse)
    return `${who} orders ${pairs} as people did; it is the first, so it is used`;
  const sign = promoted ? "<" : "≥";
  return (
    `${who} orders ${pairs} as people did, the one in use ${share(inUse)}; of ${test.trials} prompts ` +
    `that they order differently it is better on ${test.wins}: p = ${test.p.toPrecision(2)} ${sign} ` +
    `${config.promotionLevel} (one-sided sign test), so ${promoted ? "it takes over" : "the one in use stays"}`
  );
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

function noRewardModel(dir: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `${dir} has no ranking to train a reward model on, and none is in use; give rewardModel or rankings`,
  );
}
