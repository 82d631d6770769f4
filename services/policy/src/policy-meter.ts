import { mapAsync } from "@stagecraft/core";
import { METRICS, type Metrics } from "@stagecraft/telemetry";
import type { PolicyEngine, SequenceRequest, TokenChunk } from "./engine.js";

/** Watches the answers of an engine. */
export interface PolicyMeter {
  /** The same chunks, counted as they pass. */
  watch(
    requests: readonly SequenceRequest[],
    answers: readonly AsyncIterable<TokenChunk>[],
  ): AsyncIterable<TokenChunk>[];
  /** Stops looking at the engine. */
  close(): void;
}

/** Does nothing without metrics. */
export function createPolicyMeter(
  engine: Pick<PolicyEngine, "status">,
  metrics: Metrics | undefined,
): PolicyMeter {
  if (!metrics) return { watch: (_, answers) => [...answers], close: () => undefined };
  const tokens = metrics.counter(METRICS.policyTokens);
  const firstToken = metrics.histogram(METRICS.policyFirstToken);
  const close = metrics.onScrape(createStatusReader(engine, metrics));
  const pass = (chunks: AsyncIterable<TokenChunk>, sinceMs: number) => {
    let isFirst = true;
    return mapAsync(chunks, (chunk) => {
      if (isFirst) firstToken.observe({}, (performance.now() - sinceMs) / 1000);
      isFirst = false;
      tokens.add({ phase: "generated" }, chunk.tokenIds.length);
      return chunk;
    });
  };
  return {
    watch(requests, answers) {
      const numPromptTokens = requests.reduce((sum, { promptIds }) => sum + promptIds.length, 0);
      tokens.add({ phase: "prompt" }, numPromptTokens);
      const now = performance.now();
      return answers.map((chunks) => pass(chunks, now));
    },
    close,
  };
}

function createStatusReader(engine: Pick<PolicyEngine, "status">, metrics: Metrics): () => void {
  const active = metrics.gauge(METRICS.policyActiveSequences);
  const queued = metrics.gauge(METRICS.policyQueuedSequences);
  const version = metrics.gauge(METRICS.policyWeightVersion);
  const steps = metrics.counter(METRICS.policySteps);
  const busy = metrics.counter(METRICS.busySeconds);
  let before = { numSteps: 0, busyMs: 0 };
  return () => {
    const { numActive, numQueued, weights, numSteps, busyMs } = engine.status();
    active.set({}, numActive);
    queued.set({}, numQueued);
    version.set({}, weights.version);
    steps.add({}, numSteps - before.numSteps);
    busy.add({}, (busyMs - before.busyMs) / 1000);
    before = { numSteps, busyMs };
  };
}
