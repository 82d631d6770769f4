import type { ParsedSampling } from "@stagecraft/contracts";
import { createLogger } from "@stagecraft/telemetry";
import { expect, it } from "vitest";
import type { PolicyModelFacts } from "./engine.js";
import { modelDefaults } from "./model-defaults.js";

const sampling: ParsedSampling = {
  ...{ temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 },
  ...{ maxNewTokens: 100, stop: [], seed: 3 },
};

function fillWith(config: object) {
  const files = () => ({ "generation_config.json": JSON.stringify(config) });
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const facts = { name: "m", tokenizer: { files } } as unknown as PolicyModelFacts;
  return { fill: modelDefaults(facts, createLogger({ service: "policy", destination })), lines };
}

it("a model decides what is left to it, where its generation_config.json says something", () => {
  const { fill, lines } = fillWith({ temperature: 0.5, top_k: 7, max_new_tokens: 9 });
  const left = ["temperature", "topP", "maxNewTokens"] as const;
  const expected = { ...sampling, temperature: 0.5, maxNewTokens: 9 };
  expect(fill({ sampling, modelDefaults: left })).toEqual(expected);
  expect(fill({ sampling, modelDefaults: [] })).toEqual(sampling);
  expect(lines).toEqual([]);
});

it("what its generation_config.json asks for and is not done is logged by name", () => {
  expect(fillWith({ num_beams: 4 }).lines.join()).toContain("num_beams 4");
  expect(() => fillWith({ top_p: 2 })).toThrow("top_p must be above 0 and at most 1");
});
