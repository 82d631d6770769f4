// What the benchmarks of the services share: processes from dist, their figures, and their health.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { health } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { startProcess, waitFor } from "@stagecraft/testing";

/** Runs with a place to leave resources, which are disposed in the end, the last one first. */
export async function withResources(body) {
  const resources = [];
  const keep = (resource) => {
    resources.push(resource);
    return resource;
  };
  try {
    return await body(keep);
  } finally {
    for (const resource of resources.reverse()) await resource[Symbol.asyncDispose]();
  }
}

/** Starts a service's dist/main.js; `flags` by their names. Resolves when it serves. */
export async function startService(service, flags) {
  const main = fileURLToPath(new URL(`../../services/${service}/dist/main.js`, import.meta.url));
  const given = Object.entries({ port: 0, "log-level": "info", ...flags });
  const args = [main, ...given.flatMap(([name, value]) => [`--${name}`, String(value)])];
  const started = await startProcess(process.execPath, args);
  const line = () => /^.*"serving".*$/m.exec(started.output())?.[0];
  const ready = () => line() ?? started.child.exitCode !== null;
  await waitFor(ready, { what: `${service} to serve`, timeoutMs: 120_000 });
  if (!line()) throw new Error(`${service} ended: ${started.output()}`);
  const { port, metricsPort } = JSON.parse(line());
  return Object.assign(started, { service, address: `127.0.0.1:${port}`, metricsPort });
}

/** p99 delay of the main loop since the last call, in ms, as the service itself measures it. */
export async function loopDelayMs({ metricsPort }) {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  const found = /^stagecraft_event_loop_lag_seconds\S* (\S+)$/m.exec(await response.text());
  return Number(found?.[1]) * 1000;
}

/** Largest resident memory so far, MB. */
export function peakMemoryMb({ pid }) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Asks for the health of services again and again, as a probe with a deadline of one second does. */
export function probe(services) {
  const stop = new AbortController();
  const results = new Map();
  const watch = async ({ service, address }) => {
    const client = createRpcClient({ service: health.HealthService }, address);
    const result = { numProbes: 0, numFailed: 0, slowestMs: 0 };
    results.set(`${service} ${address}`, result);
    while (!stop.signal.aborted) {
      const startedAt = performance.now();
      const answer = await client
        .check({ service: "" }, { timeoutMs: 1000 })
        .catch(() => undefined);
      result.numProbes++;
      if (answer?.status !== health.HealthCheckResponse_ServingStatus.SERVING) result.numFailed++;
      result.slowestMs = Math.max(result.slowestMs, performance.now() - startedAt);
      await delay(100);
    }
    client.close();
  };
  const watching = services.map(watch);
  return async () => {
    stop.abort();
    await Promise.all(watching);
    return results;
  };
}
