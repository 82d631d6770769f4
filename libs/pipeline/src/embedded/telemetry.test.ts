import { join } from "node:path";
import { writeJsonl } from "@stagecraft/data";
import { silentReporter } from "@stagecraft/runs";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { ppoSchema } from "@stagecraft/ppo";
import { createLogger, recordSpans, type RecordedSpan } from "@stagecraft/telemetry";
import { initEngine } from "@stagecraft/tensor";
import { tempDir } from "@stagecraft/testing";
import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { describe, expect, it } from "vitest";
import { createEmbeddedCluster } from "./embedded-cluster.js";

const NUM_TASKS = 3;
const GENERATE = "stagecraft.policy.v1.PolicyService/GenerateBatch";
const SCORE = "stagecraft.reward.v1.RewardService/ScoreBatch";

/** One update of PPO over four services; the log lines it wrote. */
async function runOneUpdate(dir: string): Promise<Record<string, unknown>[]> {
  await initEngine({ engine: "cpu", numThreads: 1 });
  const tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz .?"]);
  const sizes = { hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 40 };
  const modelConfig = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
  const tokenizerFiles = tokenizer.files();
  for (const [name, head] of [
    ["policy", "lm"],
    ["reward", "score"],
  ] as const) {
    const model = createModel(modelConfig, { seed: 1, heads: [head] });
    await saveModel(join(dir, name), model, { tokenizerFiles });
    model.dispose();
  }
  const prompts = Array.from({ length: NUM_TASKS }, (_, i) => {
    return { id: `p${i}`, messages: [{ role: "user", content: "hi" }] };
  });
  await writeJsonl(join(dir, "prompts.jsonl"), prompts);
  const config = ppoSchema.parse({
    policy: join(dir, "policy"),
    rewardModel: join(dir, "reward"),
    prompts: [join(dir, "prompts.jsonl")],
    updates: 1,
    promptsPerUpdate: NUM_TASKS,
    maxNewTokens: 4,
    epochs: 1,
    engine: "cpu",
    threads: 1,
  });
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  const logger = createLogger({ service: "all", level: "debug", destination });
  await using cluster = await createEmbeddedCluster({
    policyModelDir: config.policy,
    rewardModelDir: config.rewardModel,
    runDir: join(dir, "run"),
    logger,
  });
  const signal = new AbortController().signal;
  const context = { runDir: join(dir, "run"), resume: false, signal, reporter: silentReporter() };
  await cluster.runPpo(config, context);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("what the services tell about an update", () => {
  it("is one trace from prompt task to optimizer step, and lines with run and rollout ids", async () => {
    await using directory = await tempDir();
    await using recorded = recordSpans();
    const records = await runOneUpdate(directory.path);
    const spans = recorded.spans();
    const named = (name: string) => spans.filter((span) => span.name === name);
    const parentOf = (span: RecordedSpan) =>
      spans.find(({ spanId }) => spanId === span.parentSpanId)?.name;

    const [step] = named("optimizer step");
    const ofStep = spans.filter(({ traceId }) => traceId === step!.traceId);
    const counts = new Map<string, number>();
    for (const { name } of ofStep) counts.set(name, (counts.get(name) ?? 0) + 1);
    expect(Object.fromEntries(counts)).toEqual({
      "ppo batch": 1,
      "prompt task": NUM_TASKS,
      rollout: NUM_TASKS,
      [GENERATE]: 2 * NUM_TASKS, // client and server
      [SCORE]: 2 * NUM_TASKS,
      "publish rollout": NUM_TASKS,
      "rollout arrived": NUM_TASKS,
      "optimizer step": 1,
    });
    const parents = new Set(ofStep.map((span) => `${parentOf(span) ?? "nothing"} > ${span.name}`));
    expect([...parents].sort()).toEqual(
      [
        "nothing > ppo batch",
        "ppo batch > prompt task",
        "ppo batch > optimizer step",
        "prompt task > rollout",
        `rollout > ${GENERATE}`,
        `${GENERATE} > ${GENERATE}`,
        `rollout > ${SCORE}`,
        `${SCORE} > ${SCORE}`,
        "rollout > publish rollout",
        "publish rollout > rollout arrived",
      ].sort(),
    );
    expect([...step!.links].sort()).toEqual(
      named("rollout arrived")
        .map(({ spanId }) => spanId)
        .sort(),
    );

    const aboutTasks = records.filter((record) => "messageId" in record || "taskId" in record);
    expect(aboutTasks.length).toBeGreaterThanOrEqual(NUM_TASKS);
    for (const record of aboutTasks) {
      expect(record, JSON.stringify(record)).toMatchObject({
        runId: expect.stringMatching(/^ppo-/) as string,
        taskId: expect.any(String) as string,
        rolloutId: `${String(record["taskId"])}/rollout`,
      });
    }
  });
});
