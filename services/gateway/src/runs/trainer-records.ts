import type { TrainerClient } from "@stagecraft/client";
import type { MetricsRecord } from "@stagecraft/report";
import type { RecordSource } from "./records.js";

const WATCH_MS = 24 * 3600_000;

/**
 * Follows the metrics of a run over the trainer's watch, from the last event on when the trainer was
 * away. For runs whose directory is not on this machine. `onGap` is told when the trainer no longer keeps
 * the first events.
 */
export function trainerRecords(
  client: Pick<TrainerClient, "watchRun">,
  trainerRunId: string,
  onGap: () => void,
): RecordSource {
  const stop = new AbortController();
  let waiting: MetricsRecord[] = [];
  let afterSequence = 0n;
  let isFirst = true;
  let isWatching = false;
  const watch = async () => {
    const options = { timeoutMs: WATCH_MS, signal: stop.signal };
    for await (const { sequence, event } of client.watchRun(
      { runId: trainerRunId, afterSequence },
      options,
    )) {
      if (sequence > afterSequence + 1n) onGap();
      afterSequence = sequence;
      if (event?.$case === "metrics") waiting.push(event.value as MetricsRecord);
    }
  };
  return {
    async poll() {
      if (!isWatching) {
        isWatching = true;
        void watch()
          .catch(() => undefined) // away: watched again at the next look
          .finally(() => (isWatching = false));
      }
      if (waiting.length === 0 && !isFirst) return undefined;
      const records = waiting;
      waiting = [];
      const isAll = isFirst;
      isFirst = false;
      return { isAll, records };
    },
    close: () => stop.abort(),
  };
}
