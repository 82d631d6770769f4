import type { SequenceTokens } from "../batch/layout.js";
import { cutAfterEos } from "../math/rewards.js";

/** A stretch of a rollout: what the policy wrote, or what it was given to read. */
export interface RolloutSegment {
  ids: Int32Array;
  /** The policy drew these tokens and learns from them; the lists below are empty otherwise. */
  trained: boolean;
  /** log π of each token when it was sampled, logits divided by the temperature. */
  logProbs: Float32Array;
  /** Number of the weights that sampled each token. */
  weightVersions: Int32Array;
}

/** Segments laid end to end; log-probs and versions are of the trained tokens alone. */
export interface FlatRollout extends SequenceTokens {
  logProbs: Float32Array;
  weightVersions: Int32Array;
}

/** The simple case: a prompt, and the one answer to it. */
export function oneAnswer(answer: {
  promptIds: Int32Array;
  responseIds: Int32Array;
  logProbs: Float32Array;
  weightVersions: Int32Array;
}): RolloutSegment[] {
  const { promptIds, responseIds: ids, logProbs, weightVersions } = answer;
  return [givenSegment(promptIds), { ids, trained: true, logProbs, weightVersions }];
}

/** Tokens that the policy only reads. */
export function givenSegment(ids: Int32Array): RolloutSegment {
  const [logProbs, weightVersions] = [new Float32Array(0), new Int32Array(0)];
  return { ids, trained: false, logProbs, weightVersions };
}

/** All of a rollout as one sequence. */
export function flatten(segments: readonly RolloutSegment[]): FlatRollout {
  const ids = segments.flatMap((segment) => [...segment.ids]);
  const trained: number[] = [];
  let start = 0;
  for (const segment of segments) {
    if (segment.trained) for (let i = 0; i < segment.ids.length; i++) trained.push(start + i);
    start += segment.ids.length;
  }
  const written = segments.filter((segment) => segment.trained);
  return {
    ids: Int32Array.from(ids),
    trained: Int32Array.from(trained),
    logProbs: Float32Array.from(written.flatMap(({ logProbs }) => [...logProbs])),
    weightVersions: Int32Array.from(written.flatMap(({ weightVersions }) => [...weightVersions])),
  };
}

/**
 * The rollout without what follows the first end token of its last turn: a sampler may have gone on, and
 * that is not part of the text [N+]. What is only read after the last turn teaches nothing and goes too.
 * `hasEos`: the last turn ended by itself. An end token of an earlier turn ends that turn alone.
 */
export function cutAfterLastTurn(
  segments: readonly RolloutSegment[],
  endIds: readonly number[],
): FlatRollout & { hasEos: boolean } {
  const last = segments.findLastIndex(({ trained }) => trained);
  const turn = segments[last];
  if (!turn) return { ...flatten(segments), hasEos: false };
  const { ids, hasEos } = cutAfterEos(turn.ids, endIds);
  const logProbs = turn.logProbs.subarray(0, ids.length);
  const weightVersions = turn.weightVersions.subarray(0, ids.length);
  const cut = [...segments.slice(0, last), { ...turn, ids, logProbs, weightVersions }];
  return { ...flatten(cut), hasEos };
}
