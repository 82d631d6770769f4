import type { ParsedRollout } from "@stagecraft/contracts";
import type { RolloutSample } from "@stagecraft/ppo";

/** A rollout as PPO takes it. Every number of weights is listed with its hash: parseRollout saw to it. */
export function toSample(rollout: ParsedRollout): RolloutSample {
  const { rolloutId, taskId, promptIds, responseIds, logProbs, weightVersions } = rollout;
  const { finishReason, score, rewardModelVersion, extraScores } = rollout;
  return {
    ...{ rolloutId, taskId, promptIds, responseIds, logProbs, weightVersions },
    weights: rollout.weights.map(({ version, sha256 }) => ({ version, sha256 })),
    ...{ finishReason, score, rewardModelVersion },
    ...(Object.keys(extraScores).length > 0 ? { extraScores } : {}),
  };
}
