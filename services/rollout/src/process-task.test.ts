import type { ParsedGeneration, ParsedPromptTask } from "@stagecraft/contracts";
import { parseRollout } from "@stagecraft/contracts";
import { describe, expect, it } from "vitest";
import type { AnswerToScore } from "./ports.js";
import { cutAfterEos, processTask } from "./process-task.js";

const EOS = 2;
const task: ParsedPromptTask = {
  taskId: "t1",
  runId: "r",
  promptId: "p",
  messages: [{ role: "user", content: "Hi" }],
  promptIds: Int32Array.from([1, 5]),
  sampling: {
    temperature: 1,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    maxNewTokens: 4,
    stop: [],
    seed: 1,
  },
  minWeightVersion: 3,
  traceparent: "",
  attempt: 1,
  environment: "",
};

function generation(tokenIds: number[], version = 3): ParsedGeneration {
  return {
    promptIds: task.promptIds,
    tokenIds: Int32Array.from(tokenIds),
    logProbs: Float32Array.from(tokenIds, (_, i) => -i - 1),
    weightVersions: Int32Array.from(tokenIds, () => version),
    text: "Hello",
    finishReason: "length",
    weights: [{ version, sha256: "a".repeat(64), step: 7 }],
  };
}

function processing(answer: ParsedGeneration) {
  const seen: AnswerToScore[] = [];
  const source = (name: string, value: number, weight: number) => ({
    weight,
    port: {
      score: async (scored: AnswerToScore) => {
        seen.push(scored);
        return { source: name, version: "v1", value };
      },
    },
  });
  const rewards = [source("rm", 0.5, 1), source("length", -2, 0.25)];
  const policy = { generate: async () => answer };
  const { signal } = new AbortController();
  return { seen, options: { policy, rewards, workerId: "w", endIds: [EOS], signal } };
}

describe("processTask()", () => {
  it("publishes a valid rollout with the weighted sum of the sources", async () => {
    const { options, seen } = processing(generation([7, 8, EOS, 9]));
    const rollout = parseRollout(await processTask(task, options));
    expect(rollout).toMatchObject({
      rolloutId: "t1/rollout",
      finishReason: "eos",
      score: 0,
      rewardModelVersion: "rm@v1+length@v1",
    });
    expect([...rollout.segments[1]!.ids]).toEqual([7, 8, EOS]);
    expect([...rollout.segments[1]!.logProbs]).toEqual([-1, -2, -3]);
    expect([...seen[0]!.ids]).toEqual([1, 5, 7, 8, EOS]);
    expect(seen[0]!.messages.at(-1)).toEqual({ role: "assistant", content: "Hello" });
  });

  it("carries an ensemble's uncertainty as a part that counts for nothing", async () => {
    const { options } = processing(generation([7, EOS]));
    const score = async () => ({ source: "rm", version: "v1", value: 2, uncertainty: 0.5 });
    const rewards = [{ port: { score }, weight: 1 }];
    const rollout = parseRollout(await processTask(task, { ...options, rewards }));
    expect(rollout.score).toBe(2);
    expect(rollout.extraScores).toEqual({ "rm.uncertainty": 0.5 });
    expect(rollout.rewardModelVersion).toBe("rm@v1");
  });

  it("refuses an answer from weights older than the task allows", async () => {
    const { options } = processing(generation([7], 2));
    await expect(processTask(task, options)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("processTask() in an environment", () => {
  it("refuses by name one that it does not know, before it asks for an answer", async () => {
    const { options, seen } = processing(generation([7, EOS]));
    const asked = { ...task, environment: "calculator" };
    const generate = () => Promise.reject(new Error("asked the policy"));
    const refused = processTask(asked, { ...options, policy: { generate } });
    await expect(refused).rejects.toThrow('[unimplemented] there is no environment "calculator"');
    expect(seen).toEqual([]);
  });

  it("refuses by name one that goes on after the first turn, and scores nothing", async () => {
    const { options, seen } = processing(generation([7, EOS]));
    const observation = Int32Array.of(4);
    const step = () => Promise.resolve({ done: false as const, observation });
    const game = { name: "game", reset: () => Promise.resolve({ observation, step }) };
    const refused = processTask(task, { ...options, environmentOf: () => game });
    await expect(refused).rejects.toThrow('[unimplemented] environment "game" goes on');
    expect(seen).toEqual([]);
  });
});

describe("cutAfterEos()", () => {
  it("leaves an answer that ends with its first end token, or has none", () => {
    for (const ids of [
      [7, EOS],
      [7, 8],
    ]) {
      const answer = generation(ids);
      expect(cutAfterEos(answer, [EOS])).toBe(answer);
      expect(cutAfterEos(answer, [])).toBe(answer);
    }
  });

  it("cuts behind whichever end token comes first", () => {
    const answer = generation([7, 8, 9, EOS]);
    expect([...cutAfterEos(answer, [EOS, 8]).tokenIds]).toEqual([7, 8]);
  });
});
