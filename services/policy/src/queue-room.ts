import { StagecraftError } from "@stagecraft/core";
import type { SequenceRequest } from "./engine.js";

export interface QueueLimits {
  /** Sequences in a decode step. */
  maxActive: number;
  /** Sequences waiting beyond those; more are refused. */
  maxQueued: number;
  /** Tokens, prompts and longest answers together, of those that wait. Default: no limit. */
  maxQueuedTokens?: number;
}

/** Counts what an engine has taken on. */
export interface QueueRoom {
  readonly numSequences: number;
  /**
   * Takes all requests or none: throws `resource_exhausted` when there is no room for them now,
   * `invalid_argument` for one that never fits.
   */
  admit(requests: readonly SequenceRequest[]): void;
  /** One of them has ended. */
  leave(request: SequenceRequest): void;
}

export interface QueueRoomOptions extends QueueLimits {
  /** Tokens that the KV cache holds. */
  kvTokens: number;
  maxPositions: number;
}

/** Room for what is active and for a queue behind it, by sequences and by tokens. */
export function createQueueRoom(options: QueueRoomOptions): QueueRoom {
  const { maxActive, maxQueued, maxQueuedTokens = Infinity, kvTokens, maxPositions } = options;
  const tokensOf = ({ promptIds, sampling }: SequenceRequest) =>
    Math.min(maxPositions, promptIds.length + sampling.maxNewTokens);
  let numSequences = 0;
  let numTokens = 0;
  return {
    get numSequences() {
      return numSequences;
    },
    admit(requests) {
      const sizes = requests.map(tokensOf);
      const largest = Math.max(...sizes);
      if (largest > kvTokens) throw neverFits(largest, kvTokens);
      const numNewTokens = sizes.reduce((sum, size) => sum + size, 0);
      const numFree = maxActive + maxQueued - numSequences;
      if (requests.length > numFree) throw full(requests.length, numFree, "sequences");
      const numFreeTokens = kvTokens + maxQueuedTokens - numTokens;
      if (numNewTokens > numFreeTokens) throw full(numNewTokens, numFreeTokens, "tokens");
      numSequences += requests.length;
      numTokens += numNewTokens;
    },
    leave(request) {
      numSequences--;
      numTokens -= tokensOf(request);
    },
  };
}

function full(numNew: number, numFree: number, what: string): StagecraftError {
  return new StagecraftError(
    "resource_exhausted",
    `${numNew} ${what} do not fit into the ${numFree} free places; try later`,
    { details: { numNew, numFree } },
  );
}

function neverFits(numTokens: number, kvTokens: number): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `prompt and longest answer have ${numTokens} tokens, the KV cache holds ${kvTokens}; lower max_new_tokens`,
    { details: { numTokens, kvTokens } },
  );
}
