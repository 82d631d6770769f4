// A thread for the tests of startThread().
import { METRICS } from "@stagecraft/telemetry";
import { Moved, serveThread } from "@stagecraft/service-kit";

serveThread(async ({ data, emit, ask, metrics }) => {
  if (data.broken) throw new Error("cannot be set up");
  return {
    facts: { name: data.name },
    handlers: {
      echo: async (value) => value,
      double: async (values) => {
        const doubled = values.map((x) => 2 * x);
        return new Moved(doubled, [doubled.buffer]);
      },
      refuse: async () => {
        const { StagecraftError } = await import("@stagecraft/core");
        throw new StagecraftError("not_found", "nothing here", { details: { place: "here" } });
      },
      untilCancelled: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
      askOwner: async (question) => ask(question),
      tell: async (event) => emit(event),
      count: async (steps) => metrics.counter(METRICS.policySteps).add({}, steps),
      block: async (ms) => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      },
      exhaust: async () => {
        const kept = [];
        for (;;) kept.push(new Array(100_000).fill(kept.length + 0.5));
      },
      crash: () =>
        new Promise(() => {
          setTimeout(() => {
            throw new Error("boom");
          }, 0);
        }),
    },
    close: async () => undefined,
  };
});
