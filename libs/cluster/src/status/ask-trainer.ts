import { trainer } from "@stagecraft/contracts";
import type { JsonObject } from "@stagecraft/core";
import { createRpcClient } from "@stagecraft/rpc";
import { createFresh } from "./fresh.js";
import type { TrainingStatus } from "./types.js";

const TIMEOUT_MS = 1000;

/** The newest run of a trainer. */
export interface TrainerWatcher {
  /** Never throws; what a trainer does not say again is absent soon. */
  ask(address: string): Promise<void>;
  training(records: (runId: string) => ReadonlyMap<string, JsonObject>): TrainingStatus | undefined;
  close(): void;
}

/** Connects when it is first asked. */
export function watchTrainer(): TrainerWatcher {
  let connected: { address: string; client: ReturnType<typeof connect> } | undefined;
  const newest = createFresh<trainer.Run | undefined>();
  const clientOf = (address: string) => {
    if (connected?.address !== address) {
      connected?.client.close();
      connected = { address, client: connect(address) };
    }
    return connected.client;
  };
  return {
    async ask(address) {
      if (address === "") return;
      const request = { pageSize: 1, pageToken: "", stage: "" };
      const answer = await clientOf(address)
        .listRuns(request)
        .catch(() => undefined);
      if (answer) newest.set(answer.runs[0], performance.now());
    },
    training(records) {
      const run = newest.get(performance.now());
      return run && describeRun(run, records(run.runId));
    },
    close: () => connected?.client.close(),
  };
}

function connect(address: string) {
  return createRpcClient(trainer.TrainerServiceClient, address, { timeoutMs: TIMEOUT_MS });
}

function describeRun(
  { runId, runDir, stage, state, progress, error, heldBy }: trainer.Run,
  records: ReadonlyMap<string, JsonObject>,
): TrainingStatus {
  const figure = (kind: string, field: string, as = field) => {
    const value = records.get(kind)?.[field];
    return typeof value === "number" ? { [as]: value } : {};
  };
  return {
    runId,
    runDir,
    stage,
    state: heldBy ? `running elsewhere (${heldBy})` : trainer.RunState[state].toLowerCase(),
    done: progress?.done ?? 0,
    total: progress?.total ?? 0,
    unit: progress?.unit ?? "",
    ...figure("update", "step"),
    ...figure("update", "score"),
    ...figure("update", "kl"),
    ...figure("update", "staleness"),
    ...figure("eval", "evalScore"),
    ...(error && { error: error.message }),
  };
}
