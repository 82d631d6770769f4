/** What sampling and scoring cost on the engine xla, counted on a real plugin: `npm run test:xla`. */
import { createCancelling } from "@stagecraft/rpc";
import { initEngine, programCounts } from "@stagecraft/tensor";
import { countPrograms } from "@stagecraft/testing";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { beforeAll, describe, expect, it } from "vitest";
import { scoreSequences } from "../src/score-sequences.js";
import { readAll, request, tinyEngine, tinyModel, tinyTokenizer } from "./fixtures.js";

const never = createCancelling();
let tokenizer: Tokenizer;
beforeAll(async () => {
  await initEngine({ engine: "xla" });
  tokenizer = await tinyTokenizer();
});

/** What a step ran and compiled, step by step, while an engine answers. */
async function stepsOf(texts: readonly string[], sampling: Parameters<typeof request>[2] = {}) {
  let before = programCounts()!;
  const seen: { run: number; compiled: number }[] = [];
  const onStep = () => {
    const now = programCounts()!;
    seen.push({
      run: now.executed - before.executed,
      compiled: now.compiled - before.compiled,
    });
    before = now;
  };
  const engine = tinyEngine(tokenizer, tinyModel(tokenizer), { onStep });
  const requests = texts.map((text, seed) => request(tokenizer, text, { seed, ...sampling }));
  const answers = await Promise.all(engine.submit(requests, never).map(readAll));
  await engine.close();
  return { seen, answers };
}

describe("a step of the policy's engine on xla", () => {
  it("is one program once the prompts are read, for all sequences and tokens of it", async () => {
    const texts = ["the cat", "a small dog", "once", "to be or not"];
    const { seen, answers } = await stepsOf(texts);
    expect(answers.map(({ finishReason }) => finishReason)).toContain("length");
    expect(seen.length).toBeGreaterThan(5);
    const numReads = 1; // beginnings of 4 to 12 tokens are read as 64
    const numRun = seen.map(({ run }) => run);
    expect(numRun).toEqual([numReads + 1, ...numRun.slice(1).map(() => 1)]);
  });

  it("compiles nothing for answers to other prompts of other sizes", async () => {
    await stepsOf(["the cat", "a small dog", "once", "to be or not"]);
    const { seen } = await stepsOf(["cats", "a very small boy", "it is long", "to"]);
    expect(seen.map(({ compiled }) => compiled)).toEqual(seen.map(() => 0));
  });

  it("scores log-probs by one program a pass, compiled at the first of a size", async () => {
    const model = tinyModel(tokenizer);
    const sequences = (...lengths: number[]) =>
      lengths.map((length) => ({
        ids: Int32Array.from({ length }, (_, i) => i % 7),
        promptLength: 3,
      }));
    const passes = [sequences(9, 12, 10), sequences(4), sequences(10, 6, 11, 16, 5)];
    const score = (pass: ReturnType<typeof sequences>) => () =>
      scoreSequences(model, pass, { temperature: 1, maxTokens: 256 });
    expect(await countPrograms(programCounts, passes.map(score))).toEqual([
      "1 compiled, 1 run",
      ...["0 compiled, 1 run", "0 compiled, 1 run"],
    ]);
    model.dispose();
  });
});
