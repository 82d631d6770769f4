import { describe, expect, it } from "vitest";
import {
  makeBase,
  openWorkshop,
  runCli,
  succeed,
  writeRecords,
  type Workshop,
} from "./case-kit.js";

/** A policy of 256 positions, a reward model of so many, one prompt of about 50 tokens. */
async function ppoArgs(workshop: Workshop, rewardPositions: number): Promise<string[]> {
  const policy = await makeBase(workshop.path("policy"), { contextLength: 256 });
  const reward = await makeBase(workshop.path("reward"), {
    contextLength: rewardPositions,
    heads: ["score"],
  });
  const content = "Which of the animals of the wood sings at night?";
  const messages = [{ role: "user", content }];
  const prompts = await writeRecords(workshop, "prompts.jsonl", [{ id: "owl", messages }]);
  return [
    ...["ppo", "--policy", policy, "--reward-model", reward, "--prompts", prompts],
    ...["--estimator", "rloo", "--samples-per-prompt", "2", "--prompts-per-update", "2"],
    ...["--updates", "1", "--epochs", "1", "--max-new-tokens", "24", "--threads", "1"],
    ...["--run", workshop.path("ppo"), "--overwrite"],
  ];
}

describe("case E: a rollout that cannot succeed", () => {
  it("a reward model of shorter context than the policy's is found at the start", async () => {
    await using workshop = await openWorkshop();
    const { code, err } = await runCli(await ppoArgs(workshop, 64));
    expect(code).not.toBe(0);
    expect(err).toContain(`the reward model ${workshop.path("reward")} has 64 positions`);
  });

  it("so is a second reward model's; a context that is long enough trains", async () => {
    await using workshop = await openWorkshop();
    const args = await ppoArgs(workshop, 128);
    await succeed(args);
    const second = await makeBase(workshop.path("second"), { contextLength: 64, heads: ["score"] });
    const { code, err } = await runCli([...args, "--reward-models", `kind=${second}`]);
    expect(code).not.toBe(0);
    expect(err).toContain(`the reward model ${second} has 64 positions`);
  });
});
