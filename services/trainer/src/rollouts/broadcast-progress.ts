import type { EventBus } from "@stagecraft/bus";
import { events } from "@stagecraft/contracts";
import type { JsonObject } from "@stagecraft/core";
import type { StageProgress, StageReporter } from "@stagecraft/runs";

export interface ProgressSubject {
  bus: EventBus;
  subject: string;
  runId: string;
}

/** A reporter that also tells whoever listens on the bus; nothing is stored. */
export function broadcastProgress(
  reporter: StageReporter,
  { bus, subject, runId }: ProgressSubject,
): StageReporter {
  let latest = { stage: "", done: 0, total: 0, unit: "" };
  const send = (metrics: JsonObject | undefined) => {
    const event = { runId, ...latest, metrics, createdAt: new Date() };
    bus.broadcast(subject, events.Progress.encode(event).finish());
  };
  return {
    ...reporter,
    progress(progress: StageProgress) {
      const { stage, done, total, unit } = progress;
      latest = { stage, done, total, unit };
      send(undefined);
      reporter.progress(progress);
    },
    metrics(record) {
      send(record);
      reporter.metrics(record);
    },
  };
}
