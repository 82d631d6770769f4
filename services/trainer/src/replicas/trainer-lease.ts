import { acquireLease, type EventBus, type Lease, type Topology } from "@stagecraft/bus";
import { isProcessAlive, thisProcess } from "@stagecraft/checkpoint";
import { isCancelled, StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";

/** Key of the lease in the run's weights bucket. */
const LEASE_KEY = "trainer";

export interface TrainerLeaseOptions {
  bus: EventBus;
  topology: Topology;
  /** A trainer that says nothing for so long is replaced. */
  leaseMs: number;
  /** Replace a living trainer at once. */
  takeOver: boolean;
  signal: AbortSignal;
  logger: Logger;
}

/**
 * Waits until this process is the deployment's one trainer. One that died on this machine is
 * followed at once, one that fell silent after `leaseMs`. Undefined when the signal came first.
 */
export async function holdTrainerLease(options: TrainerLeaseOptions): Promise<Lease | undefined> {
  const { bus, topology, leaseMs: ttlMs, ...rest } = options;
  const { pid, host, startTicks = "" } = await thisProcess();
  const kv = await bus.keyValue(topology.weightsBucket);
  const holder = `the trainer with process ${pid} on ${host} (${startTicks})`;
  try {
    return await acquireLease(kv, { ...rest, key: LEASE_KEY, ttlMs, holder, isGone });
  } catch (thrown) {
    if (isCancelled(thrown)) return undefined;
    throw thrown;
  }
}

/** Rejects when another trainer has taken over: nothing may be written any more. */
export function untilReplaced({ lost }: Lease): Promise<never> {
  return new Promise((_, reject) => {
    lost.addEventListener("abort", () => reject(StagecraftError.from(lost.reason)), { once: true });
  });
}

async function isGone(holder: string): Promise<boolean> {
  const [, pid, host, startTicks] = /process (\d+) on (\S+) \((\d*)\)$/.exec(holder) ?? [];
  if (pid === undefined || host === undefined) return false;
  const known = startTicks ? { startTicks } : {};
  return !(await isProcessAlive({ pid: Number(pid), host, ...known }));
}
