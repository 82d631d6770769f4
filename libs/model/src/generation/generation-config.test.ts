import { describe, expect, it } from "vitest";
import { generationDefaults } from "./generation-config.js";

const read = (fields: object | string) =>
  generationDefaults(
    { "generation_config.json": typeof fields === "string" ? fields : JSON.stringify(fields) },
    "models/m",
  );

describe("generationDefaults()", () => {
  it("are what the file says, and nothing else", () => {
    expect(generationDefaults({}, "m")).toEqual({ sampling: {}, unsupported: [] });
    const file = {
      ...{ do_sample: true, temperature: 0.6, top_k: 20, top_p: 0.95, min_p: 0 },
      ...{ repetition_penalty: 1.1, max_new_tokens: 64, eos_token_id: [1, 2], pad_token_id: 0 },
      ...{ transformers_version: "5.0", use_cache: true, num_beams: 1, bad_words_ids: null },
    };
    expect(read(file)).toEqual({
      sampling: {
        ...{ temperature: 0.6, topK: 20, topP: 0.95, minP: 0 },
        ...{ repetitionPenalty: 1.1, maxNewTokens: 64 },
      },
      unsupported: [],
    });
  });

  it("take the likeliest token where the file says not to sample", () => {
    expect(read({ do_sample: false, temperature: 0.7 }).sampling).toEqual({ temperature: 0 });
  });

  it("name what is not done here", () => {
    const file = { num_beams: 4, no_repeat_ngram_size: 3, stop_strings: ["\n"], guidance_scale: 1 };
    expect(read(file).unsupported).toEqual([
      "num_beams 4",
      "no_repeat_ngram_size 3",
      'stop_strings ["\\n"]',
    ]);
  });

  for (const [fields, problem] of [
    [{ temperature: -1 }, "temperature must be 0, or from"],
    [{ top_p: 0 }, "top_p must be above 0"],
    [{ top_k: 1.5 }, "top_k must be a whole number"],
    [{ max_new_tokens: "many" }, 'max_new_tokens must be a whole number from 1, got "many"'],
    ["[]", "it is no JSON object"],
    ["{", "it is no JSON object"],
  ] as const) {
    it(`refuse what cannot be: ${JSON.stringify(fields)}`, () => {
      expect(() => read(fields)).toThrow(`models/m/generation_config.json: ${problem}`);
    });
  }
});
