import { setMaxListeners } from "node:events";
import type { reward } from "@stagecraft/contracts";
import { isCancelled, StagecraftError } from "@stagecraft/core";
import { statusFromError } from "@stagecraft/rpc";
import type { ModelSet } from "./model-set.js";
import { createOutbox, type Outbox } from "./outbox.js";
import type { ScoreOne } from "./service.js";

export interface ScoreStreamOptions {
  signal: AbortSignal;
  models: ModelSet;
  scoreOne: ScoreOne;
  /** Items of one stream being scored at once; reading pauses beyond it. */
  maxInFlight: number;
}

/**
 * Answers items as they are scored. A bad item becomes an error answer; the stream ends when the
 * caller has sent its last item and every answer is out.
 */
export async function* scoreStream(
  requests: AsyncIterable<reward.ScoreStreamRequest>,
  options: ScoreStreamOptions,
): AsyncGenerator<reward.ScoreStreamResponse> {
  setMaxListeners(0, options.signal); // one for each item
  const outbox = createOutbox<reward.ScoreStreamResponse>();
  const pump = pumpRequests(requests, outbox, options).then(outbox.end, outbox.fail);
  yield* outbox;
  await pump;
}

async function pumpRequests(
  requests: AsyncIterable<reward.ScoreStreamRequest>,
  outbox: Outbox<reward.ScoreStreamResponse>,
  options: ScoreStreamOptions,
): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  for await (const request of requests) {
    const task: Promise<void> = answerOne(request, options)
      .then(outbox.push, outbox.fail)
      .finally(() => inFlight.delete(task));
    inFlight.add(task);
    if (inFlight.size >= options.maxInFlight) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
}

async function answerOne(
  request: reward.ScoreStreamRequest,
  { signal, models, scoreOne }: ScoreStreamOptions,
): Promise<reward.ScoreStreamResponse> {
  const { itemId, truncation } = request;
  try {
    const served = models.select(request.model);
    const value = await scoreOne(request.item, { served, truncation, field: "item", signal });
    const { name: model, version: modelVersion } = served.scorer;
    return { itemId, model, modelVersion, result: { $case: "score", value } };
  } catch (thrown) {
    // Cancellation and bugs end the stream; everything else is this item's affair.
    if (isCancelled(thrown) || !(thrown instanceof StagecraftError)) throw thrown;
    const value = { code: statusFromError(thrown, "").code, message: thrown.reason };
    const model = request.model?.name ?? "";
    return { itemId, model, modelVersion: "", result: { $case: "error", value } };
  }
}
