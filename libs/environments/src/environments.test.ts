import type { ParsedPromptTask } from "@stagecraft/contracts";
import { describe, expect, it } from "vitest";
import { environmentOf } from "./environments.js";

const { signal } = new AbortController();

describe("environmentOf()", () => {
  it("is one answer without a name, and refuses what it does not know by name", () => {
    expect(environmentOf("")).toBe(environmentOf("answer"));
    expect(() => environmentOf("calculator")).toThrow(
      '[unimplemented] there is no environment "calculator"; this version has "answer"',
    );
  });
});

describe("oneAnswer", () => {
  it("shows the prompt and is over after the first turn", async () => {
    const task = { promptIds: Int32Array.of(1, 2) } as ParsedPromptTask;
    const episode = await environmentOf("answer").reset(task, signal);
    expect(episode.observation).toEqual(Int32Array.of(1, 2));
    const turn = { tokenIds: Int32Array.of(3), text: "c", finishReason: "eos" as const };
    expect(await episode.step(turn, signal)).toEqual({ done: true });
  });
});
