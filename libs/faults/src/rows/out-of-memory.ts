import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { trainer } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { startNatsServer, tempDir, waitFor } from "@stagecraft/testing";
import type { FaultContext, FaultResult, FaultRow, Mutation } from "../fault-row.js";
import { Cleanup } from "../world/cleanup.js";
import { startService } from "../world/service-process.js";
import { writeTinyWorld } from "../world/tiny-world.js";

/** A stage that takes memory without end. */
const GREEDY: Mutation = {
  file: "libs/learn/dist/stages/collect.js",
  find: "const tokenizer = await loadTokenizerOf(config.model, config);",
  replace:
    "const kept = []; for (;;) kept.push(new Array(2_000_000).fill(kept.length + 0.5)); const tokenizer = await loadTokenizerOf(config.model, config);",
};
const MAX_CRASHES = 3;
/** Before the third attempt; there is none before the second. */
const MIN_PAUSE_MS = 990;
const EXPECTED = /out of memory.*attempt 3 of 3; lower /;

/** Runs that fill their heap, one after the other, beside one that trains. */
async function run({ count, mutations, patienceMs, progress }: FaultContext): Promise<FaultResult> {
  await using cleanup = new Cleanup();
  const runs = await startRuns(cleanup, mutations);
  await waitFor(async () => (await runs.doneOfGood()) > 0, {
    timeoutMs: patienceMs,
    what: "the first step of the run that trains",
  });
  const problems: string[] = [];
  for (let i = 0; i < count && problems.length === 0; i++) {
    const before = await runs.doneOfGood();
    const runId = `greedy-${i}`;
    const end = await runs.endOfGreedy(runId, patienceMs);
    if (!EXPECTED.test(end)) problems.push(`${runId}: ${end}`);
    if (runs.hasEnded()) break;
    const pauseMs = await runs.longestPauseMs(runId);
    if (pauseMs < MIN_PAUSE_MS) problems.push(`${runId}: at most ${pauseMs} ms between attempts`);
    await waitFor(async () => (await runs.doneOfGood()) > before, {
      timeoutMs: patienceMs,
      what: "the other run to go on",
    });
    progress(i + 1, count);
  }
  if (!runs.hasEnded()) {
    const attempts = await runs.attemptsOfGood();
    if (attempts !== 1) problems.push(`the other run began ${attempts} times`);
  }
  const figures = { "runs out of memory": count, attempts: count * MAX_CRASHES };
  return { problems, figures };
}

/** A real trainer with a run that trains without end. */
interface Runs {
  /** Steps of the run that trains. */
  doneOfGood(): Promise<number>;
  attemptsOfGood(): Promise<number>;
  /** Starts a run that fills its heap; resolves with the words of its end. */
  endOfGreedy(runId: string, timeoutMs: number): Promise<string>;
  /** Longest time that the run waited for its next attempt, by the trainer's own events. */
  longestPauseMs(runId: string): Promise<number>;
  hasEnded(): boolean;
}

async function startRuns(cleanup: Cleanup, mutations: readonly Mutation[]): Promise<Runs> {
  const { path } = cleanup.use(await tempDir("stagecraft-memory-"));
  const world = await writeTinyWorld(path);
  const nats = cleanup.use(await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3 }));
  const corpus = join(path, "text.txt");
  await writeFile(corpus, "abc def ghi. ".repeat(400));
  const engine = { engine: "cpu", threads: 1 };
  const flags = {
    ...{ ...engine, "nats-url": nats.url, "read-dirs": path },
    ...{ "runs-dir": join(path, "runs"), "weights-dir": join(path, "weights") },
    ...{ "max-active": 2, "run-heap-mb": 128, "max-crashes": MAX_CRASHES },
    "call-quotas": "CreateRun=100000",
  };
  const service = cleanup.use(
    await startService("trainer", { flags, mutations: [GREEDY, ...mutations] }),
  );
  const client = cleanup.use(
    createRpcClient(trainer.TrainerServiceClient, await service.serving()),
  );
  const create = (runId: string, stage: string, config: object) =>
    client.createRun(trainer.CreateRunRequest.fromPartial({ runId, stage, config } as never));
  const find = async (runId: string) => (await client.getRun({ runId })).run!;
  const small = { numLayers: 1, numHeads: 1, hiddenSize: 8, contextLength: 8, batchSize: 1 };
  const endless = { ...small, tokenizerKind: "chars", steps: 10_000_000, checkpointEvery: 100 };
  await create("good", "pretrain", { corpus: [corpus], ...endless, ...engine });
  return {
    hasEnded: () => service.hasEnded(),
    attemptsOfGood: async () => (await find("good")).attempt,
    async doneOfGood() {
      const { progress } = await find("good");
      return progress?.unit === "steps" ? progress.done : 0;
    },
    async longestPauseMs(runId) {
      let longest = 0;
      let since: Date | undefined;
      for await (const { event, time } of client.watchRun({ runId, afterSequence: 0n })) {
        if (event?.$case !== "run" || !time) continue;
        if (since) longest = Math.max(longest, time.getTime() - since.getTime());
        const { state } = event.value;
        since = state === trainer.RunState.PENDING ? time : undefined;
      }
      return longest;
    },
    async endOfGreedy(runId, timeoutMs) {
      const model = { model: world.policyDir, prompts: [world.promptsFile] };
      await create(runId, "collect", { ...model, maxNewTokens: 4, ...engine });
      const ended = async () => {
        if (service.hasEnded()) return "the trainer ended";
        const { state, error } = await find(runId);
        return state === trainer.RunState.FAILED ? (error?.message ?? "no reason") : undefined;
      };
      return waitFor(ended, { timeoutMs, what: `the end of ${runId}` });
    },
  };
}

/** See `doc`. */
export const outOfMemory: FaultRow = {
  name: "out-of-memory",
  doc: "runs fill their heap: each ends as failed after a few spaced attempts, with what to lower; the process and the run beside it go on",
  counts: { full: 100, short: 1 },
  run,
  controls: [
    {
      name: "a thread that ends takes the process along",
      file: "services/trainer/dist/threads/thread-client.js",
      find: "await thread.ended;",
      replace: "process.exit(1);",
      count: 1,
      expect: /the trainer ended|unavailable/i,
    },
    {
      name: "attempts are not counted",
      file: "services/trainer/dist/runs/crash-ledger.js",
      find: "count(runId) + 1",
      replace: "1",
      count: 1,
      expect: /the end of greedy-0/,
    },
    {
      name: "attempts follow each other without a pause",
      file: "services/trainer/dist/runs/crash-ledger.js",
      find: "return crashes <= 1 ? 0",
      replace: "return true ? 0",
      count: 1,
      expect: /at most \d+ ms between attempts/,
    },
  ],
};
