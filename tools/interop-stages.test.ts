import { describe, expect, it } from "vitest";
import { stageResults } from "./interop/stages.mjs";

describe("the stages of every family, by vitest's report", () => {
  const test = (title: string, status: string, failureMessages: string[] = []) => {
    return { title, status, failureMessages };
  };

  it("are a result each", () => {
    const assertionResults = [test("llama", "passed"), test("gpt2", "failed", ["not so"])];
    const testResults = [{ message: "", assertionResults }];
    expect(stageResults({ success: false, testResults })).toEqual([
      { name: "stages: llama" },
      { name: "stages: gpt2", problem: "failed\nnot so" },
    ]);
  });

  it("are no success when the file did not load, or no test ran, or the run failed beside them", () => {
    const load = { message: "Cannot find package", assertionResults: [] };
    const problem = "the run failed, or has no test\nCannot find package";
    expect(stageResults({ success: false, testResults: [load] })).toEqual([
      { name: "stages", problem },
    ]);
    expect(stageResults({ success: true, testResults: [] })).toHaveLength(1);
    const passed = { message: "", assertionResults: [test("llama", "passed")] };
    expect(stageResults({ success: false, testResults: [passed] }).at(-1)).toHaveProperty(
      "problem",
    );
  });
});
