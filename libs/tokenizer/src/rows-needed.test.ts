import { describe, expect, it } from "vitest";
import { rowsNeeded } from "./rows-needed.js";
import { specialTokenEntry } from "./tokenizer-json.js";

describe("rowsNeeded()", () => {
  it("counts a special token that the post-processor alone puts around texts", () => {
    const needed = (post_processor: object | null) =>
      rowsNeeded({
        "tokenizer.json": JSON.stringify({
          model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
          added_tokens: [specialTokenEntry(2, "<s>")],
          post_processor,
        }),
      });
    expect(needed(null)).toBe(2);
    const single = [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A" } }];
    const special_tokens = { "<s>": { id: "<s>", ids: [2], tokens: ["<s>"] } };
    expect(needed({ type: "TemplateProcessing", single, special_tokens })).toBe(3);
    expect(needed({ type: "RobertaProcessing", cls: ["<s>", 2], sep: ["a", 0] })).toBe(3);
  });
});
