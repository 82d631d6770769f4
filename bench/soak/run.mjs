// `npm run soak`: a cluster at full load for an hour; does memory stay where it is?
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { policy, reward, toConversation, toSampling, trainer } from "@stagecraft/contracts";
import { silentReporter } from "@stagecraft/runs";
import { ppoSchema } from "@stagecraft/ppo";
import { createRpcClient } from "@stagecraft/rpc";
import { startCluster } from "../../libs/cluster/dist/index.js";
import { runRemotely } from "../../libs/pipeline/dist/index.js";
import { writeSoakInputs } from "./models.mjs";
import { metricsPortOf, readMetrics, residentBytes } from "./sample.mjs";
import { floors, trend } from "./trend.mjs";

const HELP = `Usage: npm run soak -- [--minutes N] [--warm-up N] [--rollouts N] [--csv FILE] [--json FILE]

Starts policy, reward model, rollout workers, trainer and NATS as processes, drives PPO, generation and
scoring without a pause, and samples every process' resident memory every 5 s. After the warm-up the
slope of each has to stay under 10 MB an hour and the number of tensors must not grow. Garbage that
JavaScript's collector has not yet taken is left out: resident memory, less the heaps, plus what the
heaps held right after their last full collection. The slope with garbage is told beside it.

  --minutes   length in all, minutes [60]
  --warm-up   minutes left out at the start [a fifth]
  --rollouts  rollout workers [2]
  --csv       every sample [soak.csv in the temporary folder]
  --json      the result
`;

const MAX_SLOPE_MB = 10;
/** Of the time after the warm-up; the floor of each counts: 8 minutes of an hour's run. */
const SPANS = 6;
const SAMPLE_MS = 5000;
const MB = 1024 * 1024;
const TENSORS = "stagecraft_engine_tensors";
const HEAP_SIZE = "process_heap_size_bytes";
const HEAP_LIVE = "process_heap_live_bytes";
const COMPUTES = /^(policy|reward-model|trainer)/;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    minutes: { type: "string", default: "60" },
    "warm-up": { type: "string" },
    rollouts: { type: "string", default: "2" },
    csv: { type: "string" },
    json: { type: "string" },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const minutes = Number(values.minutes);
const warmUpHours = Number(values["warm-up"] ?? minutes / 5) / 60;
const dir = await mkdtemp(join(tmpdir(), "stagecraft-soak-"));
const csv = values.csv ?? join(tmpdir(), "soak.csv");
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

const rows = await soak();
const failed = rows.filter(({ ok }) => !ok);
console.table(rows);
console.log(`Every sample: ${csv}`);
if (values.json) await writeFile(values.json, `${JSON.stringify({ minutes, rows }, null, 2)}\n`);
await rm(dir, { recursive: true, force: true });
process.exit(failed.length === 0 ? 0 : 1);

async function soak() {
  await writeSoakInputs(dir);
  const cluster = await startCluster({
    dir: join(dir, "cluster"),
    policyModelDir: join(dir, "policy"),
    rewardModelDir: join(dir, "reward"),
    runsDir: join(dir, "runs"),
    readDirs: [dir],
    policies: 1,
    rewards: 1,
    rollouts: Number(values.rollouts),
    threads: 1,
    onEvent: ({ level, process: name, text }) => level !== "info" && console.log(name, text),
  });
  try {
    return await underLoad(cluster);
  } finally {
    await cluster.stop();
  }
}

async function underLoad(cluster) {
  const counts = { updates: 0, generated: 0, scored: 0, failed: 0 };
  const load = [train(cluster, counts), generate(cluster, counts), score(cluster, counts)];
  const series = await watch(cluster, counts);
  stop.abort();
  await Promise.all(load);
  const { updates, generated, scored, failed } = counts;
  console.log(
    `\n${updates} PPO updates; ${generated} answers and ${scored} scores beside them; ${failed} failed calls`,
  );
  const restarts = cluster.processes().filter((p) => p.restarts > 0);
  for (const { name, lastExit } of restarts) console.log(`${name} was restarted: ${lastExit}`);
  return [...series].map(([name, samples]) => verdict(name, samples, restarts));
}

/** PPO over the services, update after update. */
async function train(cluster, counts) {
  const config = ppoSchema.parse({
    policy: join(dir, "policy"),
    rewardModel: join(dir, "reward"),
    prompts: [join(dir, "prompts.jsonl")],
    ...{ updates: 100_000, promptsPerUpdate: 32, maxNewTokens: 48, epochs: 2, threads: 1 },
    ...{ checkpointEvery: 5, evalEvery: 0, maxStaleness: 1 },
  });
  const client = createRpcClient(trainer.TrainerServiceClient, cluster.addresses().trainer);
  const run = { runId: "soak", stage: "ppo", config, runDirName: "soak" };
  const reporter = silentReporter({ metrics: ({ kind }) => kind === "update" && counts.updates++ });
  await runRemotely(client, run, { signal: stop.signal, resume: false, reporter }).catch(endedWell);
  client.close();
}

/** Callers who stream answers, and some who leave in the middle. */
async function generate(cluster, counts) {
  const client = createRpcClient(policy.PolicyServiceClient, cluster.addresses().policy);
  const question = toConversation([{ role: "user", content: "tell me" }]);
  const caller = async (number) => {
    for (let i = 0; !stop.signal.aborted; i++) {
      const leave = new AbortController();
      try {
        const sampling = toSampling({ maxNewTokens: 40, seed: number * 1_000_000 + i });
        const input = { prompt: { $case: "conversation", value: question }, sampling };
        const request = policy.GenerateRequest.fromPartial({ input });
        const answer = client.generate(request, { signal: leave.signal });
        let chunks = 0;
        for await (const _ of answer) if (++chunks === 5 && i % 4 === 0) leave.abort();
        counts.generated++;
      } catch (error) {
        if (leave.signal.aborted) counts.generated++;
        else await failedCall(counts, error);
      }
    }
  };
  await Promise.all([1, 2].map(caller));
  client.close();
}

/** Callers who have answers scored. */
async function score(cluster, counts) {
  const client = createRpcClient(reward.RewardServiceClient, cluster.addresses().rewardModel, {
    idempotent: ["scoreBatch"],
  });
  const conversation = toConversation([
    { role: "user", content: "tell me" },
    { role: "assistant", content: "all of it" },
  ]);
  const items = Array.from({ length: 8 }, () => ({
    input: { $case: "conversation", value: conversation },
  }));
  const request = reward.ScoreBatchRequest.fromPartial({ items });
  const caller = async () => {
    while (!stop.signal.aborted) {
      try {
        await client.scoreBatch(request);
        counts.scored += items.length;
      } catch (error) {
        await failedCall(counts, error);
      }
    }
  };
  await Promise.all([1, 2].map(caller));
  client.close();
}

/** Told for the first few; a moment passes, so that a server that is away is not stormed. */
async function failedCall(counts, error) {
  if (++counts.failed < 4) console.log(String(error));
  await delay(100);
}

function endedWell(error) {
  if (!stop.signal.aborted) console.log(`the run ended: ${String(error)}`);
}

/** Samples until the time is over; process name → samples. */
async function watch(cluster, counts) {
  const series = new Map();
  const startMs = performance.now();
  await writeFile(csv, "hours,process,pid,resident_bytes,heap_size,heap_live,tensors\n");
  while (!stop.signal.aborted) {
    const hours = (performance.now() - startMs) / 3_600_000;
    if (hours * 60 >= minutes) break;
    for (const { name, service, pid } of cluster.processes()) {
      if (pid === undefined) continue;
      const bytes = await residentBytes(pid);
      if (bytes === undefined) continue;
      const port = service === "nats" ? undefined : await metricsPortOf(cluster.layout.logOf(name));
      const names = [TENSORS, HEAP_SIZE, HEAP_LIVE];
      const metrics = port === undefined ? {} : await readMetrics(port, names);
      const { [TENSORS]: tensors, [HEAP_SIZE]: size, [HEAP_LIVE]: live } = metrics;
      // A process that was too busy to answer says nothing about its garbage.
      const settled = service === "nats" ? bytes : size && live ? bytes - size + live : undefined;
      const sample = { hours, resident: bytes / MB, settled: settled && settled / MB, tensors };
      series.set(name, [...(series.get(name) ?? []), sample]);
      const cells = [hours.toFixed(5), name, pid, bytes, size ?? "", live ?? "", tensors ?? ""];
      await appendFile(csv, `${cells.join()}\n`);
    }
    report(series, { hours, counts });
    await delay(SAMPLE_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  return series;
}

function report(series, { hours, counts }) {
  const now = [...series].map(([name, samples]) => `${name} ${samples.at(-1).resident.toFixed(0)}`);
  const left = Math.max(0, minutes - hours * 60).toFixed(0);
  const text = `${left} min left · ${counts.updates} updates · MB: ${now.join(" · ")}`;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
  else if (Math.floor((hours * 3600) / 5) % 12 === 0) console.log(text);
}

function verdict(name, samples, restarts) {
  const steady = samples.filter(({ hours }) => hours >= warmUpHours);
  const slopeOf = (field) => {
    const points = steady.flatMap(({ hours, [field]: value }) => (value ? [{ hours, value }] : []));
    return trend(floors(points, SPANS));
  };
  const { slope, error } = slopeOf("settled");
  const tensors = steady.flatMap((sample) =>
    sample.tensors === undefined ? [] : [sample.tensors],
  );
  const third = Math.ceil(tensors.length / 3);
  const mostOf = (part) => (part.length === 0 ? undefined : Math.max(...part));
  const [early, late] = [mostOf(tensors.slice(0, third)), mostOf(tensors.slice(-third))];
  return {
    process: name,
    "MB at warm-up": Number(steady[0]?.resident.toFixed(1)),
    "MB at end": Number(steady.at(-1)?.resident.toFixed(1)),
    "slope MB/h": Number(slope.toFixed(1)),
    "± standard error": Number(error.toFixed(1)),
    "with garbage": Number(slopeOf("resident").slope.toFixed(1)),
    "most tensors, early": early ?? "not exported",
    "most tensors, late": late ?? "not exported",
    ok:
      slope < MAX_SLOPE_MB &&
      // Without a count nothing is shown; only what computes with tensors has one.
      (!COMPUTES.test(name) || late <= early) &&
      !restarts.some((restarted) => restarted.name === name),
  };
}
