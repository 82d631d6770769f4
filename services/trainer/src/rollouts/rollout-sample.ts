import type { ParsedRollout } from "@stagecraft/contracts";
import type { RolloutSample } from "@stagecraft/ppo";

/** A rollout as PPO takes it. Every number of weights is listed with its hash: parseRollout saw to it. */
export function toSample(rollout: ParsedRollout): RolloutSample {
  const { rolloutId, taskId, segments, finishReason, score, extraScores } = rollout;
  return {
    ...{ rolloutId, taskId, segments, finishReason, score },
    weights: rollout.weights.map(({ version, sha256 }) => ({ version, sha256 })),
    rewardModelVersion: rollout.rewardModelVersion,
    ...(Object.keys(extraScores).length > 0 ? { extraScores } : {}),
  };
}
