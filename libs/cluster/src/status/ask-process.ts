import { policy, rollout } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import type { ProcessInfo } from "../supervised-process.js";
import { createRateMeter, type RateMeter } from "./rate.js";
import { createFresh } from "./fresh.js";
import { residentBytes, scrapeProcess } from "./scrape.js";
import type { ProcessStatus } from "./types.js";

const TIMEOUT_MS = 1000;
const WINDOW_MS = 10_000;

/** What one process says of itself; kept connected between questions. */
export interface ProcessWatcher {
  /** Never throws; what a process does not say again is absent soon. */
  ask(info: ProcessInfo): Promise<void>;
  figures(): Partial<ProcessStatus>;
  /** Tokens a policy generates. */
  tokensPerSecond(): number | undefined;
  close(): void;
}

/** Watches the process that `info` names, over its restarts. */
export function watchProcess({ service, port }: ProcessInfo): ProcessWatcher {
  const source = sourceOf(service, `127.0.0.1:${port}`);
  const busy = createRateMeter(WINDOW_MS);
  const tokens = createRateMeter(WINDOW_MS);
  const lastTold = createFresh<Partial<ProcessStatus>>();
  let memoryBytes: number | undefined;
  let problems: string[] = [];
  return {
    async ask({ state, pid, metricsPort }) {
      memoryBytes = pid === undefined ? undefined : residentBytes(pid);
      if (pid === undefined || state !== "up") {
        problems = [];
        return;
      }
      const [told, scraped] = await Promise.all([
        source?.ask(tokens).catch(() => undefined),
        service === "nats" ? undefined : scrapeProcess(metricsPort),
      ]);
      const nowMs = performance.now();
      if (told) lastTold.set(told, nowMs);
      if (scraped?.busySeconds !== undefined) busy.add(scraped.busySeconds, nowMs);
      if (scraped) ({ problems } = scraped);
    },
    figures() {
      const nowMs = performance.now();
      const share = busy.perSecond(nowMs);
      return {
        ...lastTold.get(nowMs),
        ...(memoryBytes !== undefined && { memoryBytes }),
        ...(share !== undefined && { busyShare: Math.min(1, share) }),
        ...(problems.length > 0 && { problem: problems.join("; ") }),
      };
    },
    tokensPerSecond: () => tokens.perSecond(performance.now()),
    close: () => source?.close(),
  };
}

interface Source {
  ask(tokens: RateMeter): Promise<Partial<ProcessStatus>>;
  close(): void;
}

function sourceOf(service: ProcessInfo["service"], address: string): Source | undefined {
  if (service === "policy") return policySource(address);
  return service === "rollout" ? rolloutSource(address) : undefined;
}

function policySource(address: string): Source {
  const client = createRpcClient(policy.PolicyServiceClient, address, { timeoutMs: TIMEOUT_MS });
  return {
    async ask(tokens) {
      const { weights, numActive, numQueued, numTokensGenerated } = await client.getStatus({});
      tokens.add(Number(numTokensGenerated), performance.now());
      return { weightVersion: weights?.version ?? 0, numActive, numQueued };
    },
    close: () => client.close(),
  };
}

function rolloutSource(address: string): Source {
  const client = createRpcClient(rollout.RolloutServiceClient, address, { timeoutMs: TIMEOUT_MS });
  return {
    async ask() {
      const { state, numInFlight, numCompleted, numRetried, numDead, lastError } =
        await client.getStatus({});
      return {
        isDrained: state !== rollout.WorkerState.RUNNING,
        numInFlight,
        numCompleted: Number(numCompleted),
        numRetried: Number(numRetried),
        numDead: Number(numDead),
        lastError,
      };
    },
    close: () => client.close(),
  };
}
