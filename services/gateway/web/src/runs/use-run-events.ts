import { useEffect, useState } from "preact/hooks";
import type { RunEvent, RunItem } from "../../../src/http/api/index.js";
import { ApiError, send } from "../api/client.js";
import { readEvents } from "../api/event-stream.js";
import { addRecords, type RunRecord } from "./run-records.js";

/** A run as it is told live. */
export interface LiveRun {
  run: RunItem | undefined;
  records: readonly RunRecord[];
  problems: readonly string[];
  /** Why nothing new comes; undefined while it does. */
  away: ApiError | undefined;
}

const NOTHING: LiveRun = { run: undefined, records: [], problems: [], away: undefined };
const RECONNECT_MS = 1000;

/** Follows runs as long as they are on the screen; a stream that breaks is asked for again. */
export function useRunEvents(runIds: readonly string[]): ReadonlyMap<string, LiveRun> {
  const [runs, setRuns] = useState<ReadonlyMap<string, LiveRun>>(new Map());
  useEffect(() => {
    const stop = new AbortController();
    setRuns(new Map());
    for (const runId of runIds) {
      const change = (how: (live: LiveRun) => LiveRun) =>
        setRuns((old) => new Map(old).set(runId, how(old.get(runId) ?? NOTHING)));
      void follow(runId, stop.signal, change);
    }
    return () => stop.abort();
  }, [runIds.join()]);
  return runs;
}

async function follow(
  runId: string,
  signal: AbortSignal,
  change: (how: (live: LiveRun) => LiveRun) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const response = await send("GET", `runs/${runId}/events`, undefined, signal);
      for await (const data of readEvents(response)) {
        const event = JSON.parse(data) as RunEvent;
        change((live) => told(live, event));
      }
    } catch (thrown) {
      if (signal.aborted) return;
      change((live) => ({ ...live, away: ApiError.from(thrown) }));
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

function told(live: LiveRun, event: RunEvent): LiveRun {
  const now = { ...live, away: undefined };
  switch (event.type) {
    case "run":
      return { ...now, run: event.run };
    case "records":
      return { ...now, records: addRecords(live.records, event.records, event.isAll) };
    case "problem":
      return { ...now, problems: [...live.problems.filter((p) => p !== event.text), event.text] };
  }
}
