/** What scoring costs on the engine xla, counted on a real plugin: `npm run test:xla`. */
import { initEngine, programCounts } from "@stagecraft/tensor";
import { countPrograms } from "@stagecraft/testing";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { beforeAll, describe, expect, it } from "vitest";
import { tinyEnsemble, tinyScorer, tinyTokenizer } from "./fixtures.js";

let tokenizer: Tokenizer;
beforeAll(async () => {
  await initEngine({ engine: "xla" });
  tokenizer = await tinyTokenizer();
});

const batch = (...lengths: number[]) =>
  lengths.map((length) => Int32Array.from({ length }, (_, i) => i % 7));
const BATCHES = [batch(9, 12, 10), batch(2), batch(11, 2, 16, 9, 15)];

/** For all that are small, whatever they hold. */
const ONCE = ["1 compiled, 1 run", "0 compiled, 1 run", "0 compiled, 1 run"];

describe("a batch of a reward model on xla", () => {
  it("is one program, compiled at the first", async () => {
    const scorer = tinyScorer(tokenizer, "one");
    const steps = BATCHES.map((sequences) => () => scorer.score(sequences));
    expect(await countPrograms(programCounts, steps)).toEqual(ONCE);
    scorer.dispose();
  });

  it("is one program of all members of an ensemble", async () => {
    const scorer = await tinyEnsemble(tokenizer, [1, 2, 3]);
    const steps = BATCHES.map((sequences) => () => scorer.score(sequences));
    expect(await countPrograms(programCounts, steps)).toEqual(ONCE);
    scorer.dispose();
  });
});
