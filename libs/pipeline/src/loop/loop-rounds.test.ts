import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeJsonl } from "@stagecraft/data";
import { openRegistry } from "@stagecraft/registry";
import { silentReporter } from "@stagecraft/runs";
import { initEngine } from "@stagecraft/tensor";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { rounds, runLoop, weightsOf, writeInputs } from "../../test/loop-kit.js";
import { planPipeline } from "../runner/plan.js";
import { runPipeline } from "../runner/run-pipeline.js";
import { loadStages } from "../stages/stage-table.js";
import { findLoopState } from "./loop-state.js";
import { rollBack } from "./roll-back.js";

let dir: string;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-rounds-"));
  await writeInputs(dir);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const stateOf = async (name: string) => (await findLoopState(join(dir, name)))!;
const configOf = async (name: string, step: string) => {
  const file = join(dir, name, "rounds", step, "run.json");
  return (JSON.parse(await readFile(file, "utf8")) as { config: Record<string, unknown> }).config;
};

describe("promotion in the loop", () => {
  it("keeps the reward model in use when the test shows nothing, and says p", async () => {
    const told: string[] = [];
    await runLoop(dir, "run", {
      config: { promotionLevel: 0.0001 }, // of so few prompts nothing can be shown
      reporter: { info: (text) => told.push(text) },
    });
    const [first, second] = await rounds(dir, "run");
    expect(first).toMatchObject({ promoted: true, pValue: null });
    expect(second!.promoted).toBe(false);
    expect(second!.pValue).toBeGreaterThan(0.0001);
    expect(second!.rewardModel).toBe(first!.rewardModel);
    expect(await configOf("run", "0002/ppo")).toMatchObject({ rewardModel: first!.rewardModel });
    expect(told.some((text) => /p = .* ≥ 0.0001 .* stays/.test(text))).toBe(true);
  });
});

describe("demonstrations in the loop", () => {
  const demonstration = (i: number) => ({
    messages: [
      { role: "user", content: `a${"bcd"[i % 3]}` },
      { role: "assistant", content: "abc" },
    ],
  });
  const sftConfig = { sftEvery: 2, minDemonstrations: 3, rounds: 2 };

  it("teach SFT every so many rounds; policy and KL reference are what it makes", async () => {
    await writeFile(join(dir, "sft.yaml"), "batchSize: 4\nepochs: 2\nlearningRate: 0.01\n");
    const demonstrations = Array.from({ length: 4 }, (_, i) => demonstration(i));
    await writeJsonl(join(dir, "mine", "first.jsonl"), demonstrations);
    await runLoop(dir, "run", {
      config: {
        ...sftConfig,
        sftConfig: join(dir, "sft.yaml"),
        demonstrationInbox: join(dir, "mine"),
      },
    });
    const [first, second] = await rounds(dir, "run");
    expect([first!.newDemonstrations, second!.newDemonstrations]).toEqual([0, 4]);
    const sft = join(dir, "run", "rounds", "0002", "sft", "model");
    expect(await configOf("run", "0002/sft")).toMatchObject({ model: first!.policy });
    expect(await configOf("run", "0002/collect")).toMatchObject({ model: sft });
    expect(await configOf("run", "0002/ppo")).toMatchObject({ policy: sft, reference: sft });
    expect(await weightsOf(sft)).not.toEqual(await weightsOf(first!.policy));
    const { consumedDemonstrations } = await stateOf("run");
    expect(consumedDemonstrations).toEqual([expect.stringMatching(/^first.jsonl [0-9a-f]{64}$/)]);
  });

  it("wait when they are too few, and are not lost", async () => {
    await writeJsonl(join(dir, "run", "demonstrations", "two.jsonl"), [0, 1].map(demonstration));
    const told: string[] = [];
    await runLoop(dir, "run", {
      config: sftConfig,
      reporter: { info: (text) => told.push(text) },
    });
    expect(told.join("\n")).toMatch(/round 2: 2 new demonstrations in .*; SFT waits for 3/);
    expect((await rounds(dir, "run"))[1]).toMatchObject({ newDemonstrations: 0 });
    expect((await stateOf("run")).consumedDemonstrations).toEqual([]);
  });
});

describe("rollBack()", () => {
  it("makes an earlier round's models the current ones; the next round starts from them", async () => {
    await runLoop(dir, "run");
    const [first, second] = await rounds(dir, "run");
    await expect(rollBack(join(dir, "run"), 3)).rejects.toThrow("has: 1 to 2, and 0");
    const { state } = await rollBack(join(dir, "run"), 1);
    expect(state).toMatchObject({ policy: first!.policy, rewardModel: first!.rewardModel });
    const promotions = await openRegistry(join(dir, "run", "models.json")).promotions("assistant");
    expect(promotions.map(({ version, kind }) => [version, kind])).toEqual([
      ...[1, 2, 3].map((version) => [version, "promote"]),
      [2, "rollback"],
    ]);
    const resumed = await runLoop(dir, "run", { resume: true });
    expect(resumed.modelDir).toBe(first!.policy); // a finished loop gives the model that counts now
    await runLoop(dir, "run", { resume: true, config: { rounds: 3 } });
    expect((await rounds(dir, "run")).map(({ round }) => round)).toEqual([1, 2, 3]);
    const collect = await configOf("run", "0003/collect");
    expect(collect["model"]).toBe(first!.policy);
    expect(collect["model"]).not.toBe(second!.policy);
  });

  it("sets an unfinished round aside, and goes back to the beginning with 0", async () => {
    await runLoop(dir, "run", { config: { rounds: 1 } });
    const stop = new AbortController();
    const progress = ({ stage }: { stage: string }) => stage === "ppo" && stop.abort();
    const options = { resume: true, config: { rounds: 2 } };
    const stopped = runLoop(dir, "run", {
      ...options,
      signal: stop.signal,
      reporter: { progress },
    });
    await expect(stopped).rejects.toThrow("[cancelled]");
    const { state } = await rollBack(join(dir, "run"), 0);
    expect(state).toMatchObject({ policy: join(dir, "sft"), rewardModel: "" });
    await runLoop(dir, "run", options); // would refuse to go on with another policy
    expect((await rounds(dir, "run"))[1]).toMatchObject({ inUseAccuracy: null, promoted: true });
  });

  it("starts the next round from what a person chose in the registry, even while a round ran", async () => {
    await runLoop(dir, "run", { config: { rounds: 1 } });
    const [first] = await rounds(dir, "run");
    const registry = openRegistry(join(dir, "run", "models.json"));
    const chosen: Promise<unknown>[] = [];
    const told: string[] = [];
    await runLoop(dir, "run", {
      resume: true,
      reporter: {
        warn: (text) => told.push(text),
        progress({ stage }) {
          if (stage === "ppo" && chosen.length === 0)
            chosen.push(registry.rollBack("assistant", { by: "ann" }));
        },
      },
    });
    await Promise.all(chosen);
    expect(told.join()).toContain("round 2 left assistant@3, which is not put to use: assistant@1");
    expect((await registry.find("assistant")).path).toBe(join(dir, "sft"));
    const foreign = join(dir, "foreign");
    await cp(first!.policy, foreign, { recursive: true });
    const { version } = await registry.add("assistant", foreign);
    await registry.promote("assistant", version, { by: "ann" });
    await runLoop(dir, "run", { resume: true, config: { rounds: 3 } });
    expect(await configOf("run", "0003/collect")).toMatchObject({ model: foreign });
  });

  it("refuses a directory without a loop", async () => {
    await expect(rollBack(join(dir, "nowhere"), 1)).rejects.toThrow(
      "no loop with a finished round",
    );
  });
});

describe("loop as a stage of a pipeline", () => {
  it("is what a pipeline file may end in", async () => {
    const prompts = [..."abcdefgh"].map((content, i) => ({
      ...{ id: `p${i}`, messages: [{ role: "user", content }], reference: "abc" },
    }));
    await writeJsonl(join(dir, "prompts.jsonl"), prompts);
    const config = {
      ...{ policy: join(dir, "sft"), prompts: [join(dir, "prompts.jsonl")], rounds: 1 },
      ...{ ranker: "reference", minHeldOutPairs: 0, samplesPerPrompt: 2, maxNewTokens: 4 },
      ...{ ppoConfig: join(dir, "ppo.yaml"), rewardConfig: join(dir, "reward.yaml"), threads: 1 },
    };
    const run = join(dir, "pipeline");
    const file = { name: "p", run, variables: {}, stages: { align: { stage: "loop", config } } };
    const variables = new Map<string, string>();
    const plan = planPipeline(file, await loadStages(), variables);
    const context = { signal: new AbortController().signal, reporter: silentReporter() };
    const records = await runPipeline(plan, { runDir: run, variables, rerun: [], context });
    const { modelDir, metrics } = records.get("align")!.result;
    expect(metrics).toMatchObject({ rounds: 1, promotions: 1 });
    expect(await weightsOf(modelDir!)).not.toEqual(await weightsOf(join(dir, "sft")));
  });
});
