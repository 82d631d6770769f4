import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { ours } from "../lib/peers.mjs";
import { cpuSeconds } from "../lib/peak-memory.mjs";
import { BenchProcess } from "../lib/process.mjs";
import { makeRow } from "../lib/row.mjs";
import { median, tidy } from "../lib/stats.mjs";

const POLICY_MS = 300;
const REWARD_MS = 100;
const LEVELS = [1, 4, 16, 64];
const NUM_HOSTS = 8;
const SETTLE_MS = 1500;
const LEVEL_SECONDS = 5;
/** Tasks in flight of each of the 64 workers where the limit is sought. */
const OVERLOADS = [2, 4, 8, 16];
const DEPLOYMENT = "scaling";

const start = (script, args) => {
  const { command, args: all } = ours(script, args);
  return BenchProcess.start(command, all);
};

/** nats-server, simulated policy and reward model, hosts of workers, and the trainer's side. */
async function startFleet() {
  const { startNatsServer } = await import("@stagecraft/testing");
  const nats = await startNatsServer({ maxFileStoreBytes: 16 * 1024 ** 3 }); // reserved, not used
  const running = [];
  const add = async (starting) => {
    const process = await starting;
    running.push(process);
    return process;
  };
  const stop = async () => {
    for (const process of running.reverse()) await process.stop();
    await nats[Symbol.asyncDispose]();
  };
  try {
    const services = await add(start("ours/simulated-services.mjs", [POLICY_MS, REWARD_MS]));
    const driver = await add(start("ours/rollout-driver.mjs", [nats.url, DEPLOYMENT, 4096]));
    const address = `127.0.0.1:${services.ready.port}`;
    const hosts = [];
    for (let host = 0; host < NUM_HOSTS; host++) {
      hosts.push(await add(start("ours/rollout-host.mjs", [host, nats.url, DEPLOYMENT, address])));
    }
    return { nats, services, driver, hosts, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Lets so many workers run, spread over the hosts. */
async function setWorkers({ hosts }, count, concurrency) {
  const share = (host) => Math.floor(count / NUM_HOSTS) + (host < count % NUM_HOSTS ? 1 : 0);
  await Promise.all(hosts.map((host, i) => host.measure(`${share(i)} ${concurrency}`)));
  await delay(SETTLE_MS);
}

async function measureLevel(fleet, count, concurrency = 1) {
  await setWorkers(fleet, count, concurrency);
  const before = cpuOf(fleet);
  const started = performance.now();
  const { rate, throughput } = await fleet.driver.measure(LEVEL_SECONDS);
  const elapsed = (performance.now() - started) / 1000;
  const after = cpuOf(fleet);
  const busy = Object.keys(after).map((name) => [
    name,
    tidy((after[name] - before[name]) / elapsed),
  ]);
  return { rate, throughput, busy: Object.fromEntries(busy) };
}

/** Processor seconds so far of each kind of process. */
function cpuOf({ nats, services, driver, hosts }) {
  const of = (process) => cpuSeconds(process.child.pid);
  return {
    "nats-server": cpuSeconds(nats.pid),
    "policy and reward": of(services),
    "rollout workers": hosts.reduce((sum, host) => sum + of(host), 0),
    "trainer side": of(driver),
  };
}

/** What is at its end: a process of one thread, or all processors together. */
function limitOf(busy) {
  const total = Object.values(busy).reduce((sum, value) => sum + value, 0);
  const cores = availableParallelism();
  const shares = Object.entries(busy).sort((a, b) => b[1] - a[1]);
  const text = shares.map(([name, value]) => `${name} ${value}`).join(", ");
  const single = shares.find(([name, value]) => name !== "rollout workers" && value > 0.85);
  const what = single ? single[0] : total > 0.85 * cores ? "the processors" : "no process, waiting";
  return `limit: ${what} (cores busy: ${text})`;
}

async function measureLevels(fleet, context) {
  const rates = new Map(LEVELS.map((level) => [level, []]));
  for (let round = 0; round < context.rounds; round++) {
    context.progress.round(round, context.rounds);
    for (const level of LEVELS) rates.get(level).push(await measureLevel(fleet, level));
  }
  return rates;
}

function levelRow(level, rates) {
  const own = rates.get(level).map(({ rate }) => rate);
  const linear = rates.get(1).map(({ rate }) => rate * level);
  const { busy } = rates.get(level).at(-1);
  return makeRow({
    name: `scaling-${level}`,
    ours: median(own),
    peer: median(linear),
    ratio: median(own.map((rate, round) => rate / linear[round])),
    unit: "rollouts/s",
    target: 0.95,
    rounds: own.length,
    peerIs: `${level} × one worker`,
    coresBusy: busy,
    note: `${level} workers, ${POLICY_MS} + ${REWARD_MS} ms simulated`,
  });
}

/** Raises the load until more tasks in flight bring no more rollouts. */
async function limitRow(fleet, context) {
  const trials = [];
  for (const concurrency of OVERLOADS) {
    context.progress.note(`64 workers × ${concurrency}`);
    trials.push({ concurrency, ...(await measureLevel(fleet, 64, concurrency)) });
  }
  const best = trials.reduce((a, b) => (b.throughput > a.throughput ? b : a));
  return {
    name: "scaling-limit",
    ours: tidy(best.throughput),
    peer: "none",
    unit: "rollouts/s",
    ratio: "none",
    note: `64 workers × ${best.concurrency}; ${limitOf(best.busy)}`,
    trials,
  };
}

/** Rollouts/s by the number of workers over nats-server, gRPC and the real worker code. */
export const SCALING = [
  {
    name: "scaling",
    summary: "rollouts/s from 1 to 64 workers, simulated policy and reward, and the limit beyond",
    seconds: 240,
    async run(context) {
      const fleet = await startFleet();
      try {
        const rates = await measureLevels(fleet, context);
        const rows = LEVELS.slice(1).map((level) => levelRow(level, rates));
        return [...rows, await limitRow(fleet, context)];
      } finally {
        await fleet.stop();
      }
    },
  },
];
