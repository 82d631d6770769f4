import { initEngine } from "@stagecraft/tensor";
import { beforeAll, expect, it } from "vitest";
import { randomIds, take, tinyConfig, tinyModel } from "../../test/tiny.js";
import { judgeSequence } from "./judge-sequence.js";
import { logSoftmaxAt } from "./top-tokens.js";

beforeAll(() => initEngine({ numThreads: 1 }));

for (const [what, options] of [
  ["plain", {}],
  ["divided", { logitDivisor: 8 }],
  ["capped", { logitSoftcap: 0.05 }],
] as const) {
  it(`log-probs are those of the model's own logits: ${what}`, async () => {
    const model = tinyModel({ ...tinyConfig("llama"), ...options });
    const { vocabSize } = model.config;
    const ids = randomIds(vocabSize, 6);
    const logits = take(model.logits({ ids, batchSize: 1, length: ids.length })) as Float32Array;
    const wanted = Array.from(ids.subarray(1), (id, at) =>
      logSoftmaxAt(logits.subarray(at * vocabSize, (at + 1) * vocabSize), id),
    );
    const { logProbs } = await judgeSequence(model, ids, { numTop: 1 });
    logProbs.slice(1).forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 5));
    model.dispose();
  });
}
