import { setTimeout as delay } from "node:timers/promises";
import { trainer } from "@stagecraft/contracts";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import type { TrainerClient } from "./trainer.js";

export type RunEvent = NonNullable<trainer.WatchRunResponse["event"]>;

export interface FollowRunOptions {
  /** Told each event once, in order. */
  onEvent?(event: RunEvent): void;
  /** The trainer does not answer; told once each time until it answers again. */
  onAway?(): void;
  /** Ends following when the trainer is away; while it answers, cancel the run instead. */
  signal?: AbortSignal;
  /** Pause before watching again, ms; default 200. */
  reconnectMs?: number;
}

/** The longest that one watch lasts; then the next goes on from its last event. */
const WATCH_MS = 7 * 24 * 3600_000;

/**
 * Watches a run until it has ended, and returns it as it ended. A connection that breaks or has grown
 * old and a trainer that dies on the way are not the end: the trainer or its successor is watched
 * again from the last event on. Throws what the trainer says of the run itself, such as `not_found`.
 */
export async function followRun(
  client: Pick<TrainerClient, "watchRun" | "getRun">,
  runId: string,
  { onEvent, onAway, signal, reconnectMs = 200 }: FollowRunOptions = {},
): Promise<trainer.Run> {
  let afterSequence = 0n;
  let isAway = false;
  for (;;) {
    try {
      const events = client.watchRun({ runId, afterSequence }, { timeoutMs: WATCH_MS });
      for await (const { sequence, event } of events) {
        afterSequence = sequence;
        isAway = false;
        if (event) onEvent?.(event);
      }
      const { run } = await client.getRun({ runId });
      if (run && hasEnded(run.state)) return run;
    } catch (thrown) {
      const { code } = StagecraftError.from(thrown);
      if (code !== "unavailable" && code !== "deadline_exceeded") throw thrown;
      if (signal) throwIfAborted(signal);
      if (!isAway) onAway?.();
      isAway = true;
    }
    await delay(reconnectMs);
  }
}

/** The stream of a trainer that is going down ends with its run paused; the next goes on with it. */
function hasEnded(state: trainer.RunState): boolean {
  return !isWorking(state) && state !== trainer.RunState.PAUSED;
}

/** Whether a run in this state waits for its turn or works. */
export function isWorking(state: trainer.RunState): boolean {
  return state === trainer.RunState.PENDING || state === trainer.RunState.RUNNING;
}
