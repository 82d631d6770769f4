import type { reward } from "@stagecraft/contracts";
import { isCancelled, StagecraftError } from "@stagecraft/core";
import { statusFromError, type Cancellation } from "@stagecraft/rpc";
import type { ModelSet } from "./model-set.js";
import { createAsyncQueue, type AsyncQueue } from "./async-queue.js";
import type { ScoreOne } from "./score-one.js";

export interface ScoreStreamOptions {
  cancellation: Cancellation;
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
  const answers = createAsyncQueue<reward.ScoreStreamResponse>();
  const pump = pumpRequests(requests, answers, options).then(answers.end, answers.fail);
  yield* answers;
  await pump;
}

async function pumpRequests(
  requests: AsyncIterable<reward.ScoreStreamRequest>,
  answers: AsyncQueue<reward.ScoreStreamResponse>,
  options: ScoreStreamOptions,
): Promise<void> {
  let numInFlight = 0;
  let onAnswer = () => {};
  const finished = () => {
    numInFlight--;
    onAnswer();
  };
  const fewerThan = async (limit: number) => {
    while (numInFlight >= limit) await new Promise<void>((resolve) => (onAnswer = resolve));
  };
  for await (const request of requests) {
    numInFlight++;
    void answerOne(request, options).then(answers.push, answers.fail).then(finished);
    await fewerThan(options.maxInFlight);
  }
  await fewerThan(1);
}

async function answerOne(
  request: reward.ScoreStreamRequest,
  { cancellation, models, scoreOne }: ScoreStreamOptions,
): Promise<reward.ScoreStreamResponse> {
  const { itemId, truncation } = request;
  try {
    const served = models.select(request.model);
    const value = await scoreOne(request.item, { served, truncation, field: "item", cancellation });
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
