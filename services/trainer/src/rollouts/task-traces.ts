import type { ParsedRollout } from "@stagecraft/contracts";
import {
  contextFromHeaders,
  startSpan,
  type OpenSpan,
  type TraceContext,
  type TraceHeaders,
} from "@stagecraft/telemetry";

/**
 * One trace for each batch: batch → task → (worker, policy, reward model) → arrival, and the optimizer
 * step that learns from it, linked to every rollout it learnt from.
 */
export interface TaskTraces {
  /** Call when the tasks are about to be published; `end` when all have arrived or the wait is over. */
  openBatch(taskIds: readonly string[]): { end(error?: unknown): void };
  /** What a task's messages carry; undefined for a task of no open batch. */
  contextOf(taskId: string): TraceContext | undefined;
  /** The rollout that was taken for a task. */
  arrived(rollout: Pick<ParsedRollout, "rolloutId" | "taskId" | "traceparent">): void;
  /** Spans the update that learns from these rollouts. */
  openStep(rolloutIds: readonly string[]): OpenSpan;
  /** Nobody will learn from these any more. */
  forget(rolloutIds: readonly string[]): void;
}

interface OpenTask {
  batch: TraceContext;
  span: OpenSpan;
}
interface Arrival {
  batch: TraceContext;
  headers: TraceHeaders;
}

export function createTaskTraces(runId: string): TaskTraces {
  const open = new Map<string, OpenTask>();
  const arrivals = new Map<string, Arrival>();
  const idOf = (taskId: string) => ({ "stagecraft.run.id": runId, "stagecraft.task.id": taskId });
  return {
    openBatch(taskIds) {
      const attributes = { "stagecraft.run.id": runId, "stagecraft.tasks": taskIds.length };
      const batch = startSpan("ppo batch", { parent: contextFromHeaders({}), attributes });
      for (const taskId of taskIds) {
        const how = { kind: "producer", parent: batch.context, attributes: idOf(taskId) } as const;
        open.set(taskId, { batch: batch.context, span: startSpan("prompt task", how) });
      }
      return {
        end(error) {
          for (const taskId of taskIds) {
            open.get(taskId)?.span.end(error ?? new Error("no rollout"));
            open.delete(taskId);
          }
          batch.end(error);
        },
      };
    },
    contextOf: (taskId) => open.get(taskId)?.span.context,
    arrived({ rolloutId, taskId, traceparent }) {
      const task = open.get(taskId);
      if (!task) return;
      const arrival = startSpan("rollout arrived", {
        kind: "consumer",
        parent: traceparent === "" ? task.span.context : contextFromHeaders({ traceparent }),
        attributes: { ...idOf(taskId), "stagecraft.rollout.id": rolloutId },
      });
      arrival.end();
      task.span.end();
      arrivals.set(rolloutId, { batch: task.batch, headers: arrival.headers() });
    },
    openStep(rolloutIds) {
      const learnt = rolloutIds.flatMap((id) => arrivals.get(id) ?? []);
      return startSpan("optimizer step", {
        parent: learnt[0]?.batch ?? contextFromHeaders({}),
        links: learnt.map(({ headers }) => headers),
        attributes: { "stagecraft.run.id": runId, "stagecraft.rollouts": rolloutIds.length },
      });
    },
    forget(rolloutIds) {
      for (const id of rolloutIds) arrivals.delete(id);
    },
  };
}
