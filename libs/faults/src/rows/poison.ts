import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeMessage, events } from "@stagecraft/contracts";
import type { Random } from "@stagecraft/core";
import { WEIGHTS_KEY } from "@stagecraft/weights";
import type { FaultContext, FaultResult, FaultRow, Mutation } from "../fault-row.js";
import { startPipeline, type Pipeline } from "../world/pipeline.js";

const SHARE = 0.01;
const BATCH_SIZE = 64;

type Change = (rollout: events.Rollout, random: Random) => Partial<events.Rollout> | Uint8Array;

type Kinds = Readonly<Record<string, Change>>;

/** What a broken worker might send for a task. */
const BROKEN: Kinds = {
  garbage: (_, random) => Uint8Array.from({ length: 64 }, () => 0x80 | random.nextInt(128)),
  "NaN log-prob": ({ logProbs }) => ({ logProbs: [NaN, ...logProbs.slice(1)] }),
  "infinite score": () => ({ score: Infinity }),
  "wrong shape": ({ logProbs }) => ({ logProbs: [...logProbs, -1] }),
  stale: ({ weights }) => ({ weights: [{ ...weights[0]!, sha256: "0".repeat(64) }] }),
  "wrong hash": ({ weights }) => ({ weights: [{ ...weights[0]!, sha256: "f".repeat(64) }] }),
  "another prompt": () => ({ prompt: { ids: [1] } }),
  "a rollout learnt from": () => ({ rolloutId: "u000000-000000/rollout" }),
};

/** What a hostile worker might send: well-formed, and made to fail whoever learns from it. */
const HOSTILE: Kinds = {
  "a token outside the vocabulary": () => ({ response: { ids: [100_000, 4] } }),
  "a log-prob nobody can draw": () => ({ logProbs: [-3e38, -1] }),
  "a log-prob above the tolerance": () => ({ logProbs: [0.0011, -1] }),
  "a score beyond float32": () => scored(1e300),
  "a score that float32 can hold": () => scored(3e38),
  "a score that its parts do not make": () => ({ score: 0.6 }),
  "an extra score beyond the limit": ({ scoreParts }) => ({
    scoreParts: [...scoreParts, { source: "__proto__", version: "", value: 1e30, weight: 0 }],
  }),
};

function scored(value: number): Partial<events.Rollout> {
  return { score: value, scoreParts: [{ source: "poison", version: "1", value, weight: 1 }] };
}

/** For one task in a hundred, poison arrives before the answer. */
async function run(context: FaultContext, kinds: Kinds): Promise<FaultResult> {
  const { count } = context;
  const options = { context, batchSize: BATCH_SIZE, latencyMs: 200 };
  await using pipeline = await startPipeline({ ...options, workerFlags: { concurrency: 64 } });
  const poison = await startPoisoning(pipeline, context, kinds);
  while (poison.sent.size < count) {
    await pipeline.advance(1, `with ${poison.sent.size} poisoned`);
    await pipeline.check();
    context.progress(Math.max(1, poison.sent.size), count);
    const broken = await notFinite(pipeline);
    if (broken.length > 0) return { problems: broken, figures: { poisoned: poison.sent.size } };
  }
  await poison.stop();
  await pipeline.advance(2, "after the poison");
  await pipeline.check();
  const dead = await pipeline.bus.deadLetters.list({
    subject: pipeline.topology.subjects.rollouts,
    limit: 100_000,
  });
  const reasons = new Map(dead.map(({ id, reason }) => [id, reason]));
  const missing = [...poison.sent].filter(([id]) => !reasons.get(id));
  await pipeline.oracle.finish();
  const numOther = dead.filter(({ id }) => !poison.sent.has(id)).length;
  return {
    problems: [
      ...missing.map(([id, kind]) => `${kind} (${id}) is not among the dead letters`),
      ...(numOther > 0 ? [`${numOther} good rollouts are among the dead letters`] : []),
      ...(await notFinite(pipeline)),
      ...pipeline.problems(),
    ],
    figures: {
      poisoned: poison.sent.size,
      "dead letters": dead.length,
      "rollouts learnt from": pipeline.oracle.numRollouts(),
      kinds: Object.keys(kinds).length,
    },
  };
}

async function startPoisoning(
  { bus, topology }: Pipeline,
  { random, seed }: FaultContext,
  kinds: Kinds,
): Promise<{ sent: Map<string, string>; stop(): Promise<void> }> {
  const sent = new Map<string, string>();
  const tasks = await bus.listen(topology.subjects.prompts, { maxQueued: 100_000 });
  const bucket = await bus.keyValue(topology.weightsBucket);
  const names = Object.keys(kinds);
  const work = async () => {
    for await (const { data } of tasks) {
      if (random.nextFloat() >= SHARE) continue;
      const task = decodeMessage(events.PromptTask, data, "task");
      const value = (await bucket.get(WEIGHTS_KEY))!.value;
      const { weights } = decodeMessage(events.WeightsPublished, value, "weights");
      const kind = names[sent.size % names.length]!;
      const made = kinds[kind]!(goodRollout(task, weights!), random);
      const id = `poison-${seed}-${sent.size}`;
      sent.set(id, kind);
      const bytes =
        made instanceof Uint8Array
          ? made
          : events.Rollout.encode({ ...goodRollout(task, weights!), ...made }).finish();
      await bus.publish(topology.subjects.rollouts, bytes, { id });
    }
  };
  const working = work();
  return {
    sent,
    async stop() {
      await tasks.close();
      await working;
    },
  };
}

function goodRollout(
  { taskId, runId, prompt, promptId }: events.PromptTask,
  weights: NonNullable<events.WeightsPublished["weights"]>,
): events.Rollout {
  return events.Rollout.fromPartial({
    rolloutId: `${taskId}/rollout`,
    ...{ taskId, runId, prompt, promptId },
    response: { ids: [3, 4] },
    logProbs: [-1, -1],
    weightVersions: [weights.version, weights.version],
    finishReason: 3,
    score: 0.5,
    scoreParts: [{ source: "poison", version: "1", value: 0.5, weight: 1 }],
    weights: [weights],
    workerId: "poison",
  });
}

/** Reads the newest weights by itself: a length, a header, then plain float32. */
async function notFinite({ runDir }: Pipeline): Promise<string[]> {
  const folder = join(runDir, "checkpoints");
  const name = (await readFile(join(folder, "LATEST"), "utf8")).trim();
  const bytes = await readFile(join(folder, name, "tensors.safetensors"));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  for (let at = start; at + 4 <= bytes.length; at += 4) {
    if (!Number.isFinite(bytes.readFloatLE(at))) return [`weights of ${name} hold a NaN`];
  }
  return [];
}

const NUMBERS_UNCHECKED: Mutation = {
  file: "libs/contracts/dist/validate/check.js",
  find: "Number.isFinite(",
  replace: "((_) => true)(",
};

const LOG_PROBS_UNCHECKED: Mutation = {
  file: "libs/core/dist/log-prob.js",
  find: "return value >= MIN_LOG_PROB && value <= MAX_LOG_PROB;",
  replace: "return true;",
};

const LOSS_UNCHECKED: readonly Mutation[] = [
  "libs/runs/dist/loop/gradient-step.js",
  "libs/tensor/dist/engines/reference/optimizer.js",
  "libs/tensor/dist/engines/native/optimizer.js",
]
  .map((file) => ({ file, find: "!Number.isFinite(", replace: "((_) => false)(" }))
  .concat({
    file: "libs/checkpoint/dist/checkpoints.js",
    find: "|| Number.isFinite(value))",
    replace: "|| true)",
  });

/** See `doc`. */
export const poison: FaultRow = {
  name: "poison",
  doc: "1 % poison rollouts (garbage, NaN, infinite, wrong shape, stale, wrong hash, another prompt, used before): all dead letters with a reason, no NaN in the weights",
  counts: { full: 200, short: 8 },
  run: (context) => run(context, BROKEN),
  controls: [
    {
      name: "rollouts are not held against their task",
      file: "services/trainer/dist/rollouts/bus-rollouts.js",
      find: "problemOf: (rollout) => this.problemOf(rollout)",
      replace: "problemOf: () => undefined",
      count: 8,
      expect: /the run failed for good: .*did not load the published weights/,
    },
    {
      name: "numbers are not checked on arrival (the optimizer refuses its loss)",
      ...NUMBERS_UNCHECKED,
      also: [LOG_PROBS_UNCHECKED],
      count: 8,
      expect: /the run failed for good: .*loss is NaN/,
    },
    {
      name: "numbers are not checked, nor is the loss, nor what a checkpoint says of it",
      ...NUMBERS_UNCHECKED,
      also: [LOG_PROBS_UNCHECKED, ...LOSS_UNCHECKED],
      count: 8,
      expect: /weights of step-\d+ hold a NaN/,
    },
  ],
};

/** See `doc`. */
export const hostileRollout: FaultRow = {
  name: "hostile-rollout",
  doc: "well-formed rollouts made to fail the optimizer (tokens, log-probs and scores that it cannot compute with): all dead letters with a reason, the run goes on, no NaN in the weights",
  counts: { full: 100, short: 7 },
  run: (context) => run(context, HOSTILE),
  controls: [
    {
      name: "tokens and scores are not held against the run's rules",
      file: "libs/ppo/dist/rollouts/rollout-rules.js",
      find: "return (shapeProblem(sample, task, rules.endIds) ??",
      replace: "return undefined; return (shapeProblem(sample, task, rules.endIds) ??",
      count: 7,
      expect: /the run failed for good|is not among the dead letters/,
    },
  ],
};
