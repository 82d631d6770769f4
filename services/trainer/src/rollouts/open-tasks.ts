import { randomUUID } from "node:crypto";
import type { EventBus, Lease, Topology } from "@stagecraft/bus";
import { events, type ParsedTaskFailure } from "@stagecraft/contracts";
import type { PromptTask, RolloutCheck } from "@stagecraft/ppo";
import { headersFromContext, type Logger } from "@stagecraft/telemetry";
import { toEvent } from "./task-event.js";
import type { TaskTraces } from "./task-traces.js";

export interface OpenTasksOptions {
  runId: string;
  bus: Pick<EventBus, "publish">;
  topology: Topology;
  /** Times a task is published before it is given up. */
  maxAttempts: number;
  lease?: Lease | undefined;
  traces: TaskTraces;
  logger: Logger;
}

/** A task that was asked for. */
export interface OpenTask {
  task: PromptTask;
  problemOf: RolloutCheck;
  attempt: number;
  arrived: boolean;
  /** What workers told of attempts that they gave up. */
  failures: ParsedTaskFailure[];
}

/** The tasks whose rollouts are waited for, and how they are asked for again. */
export interface OpenTasks {
  add(tasks: readonly PromptTask[], problemOf: RolloutCheck): void;
  get(taskId: string): OpenTask | undefined;
  remove(taskId: string): void;
  /** Ids of those whose rollout has not come. */
  waiting(): string[];
  /** Publishes the first attempt. */
  ask(taskId: string, signal: AbortSignal): Promise<void>;
  /** Publishes the next attempt, if there is one left; does not wait for the bus. */
  askAgain(taskId: string, reason: string): void;
  /** Publishes what waits once more: what a killed broker forgot is no failed attempt. */
  repeatLost(): void;
}

/** Nothing is open at first. */
export function createOpenTasks(options: OpenTasksOptions): OpenTasks {
  const { runId, bus, topology, maxAttempts, lease, traces, logger } = options;
  const open = new Map<string, OpenTask>();
  /** Tells the messages of this process from those of one that died within the broker's memory. */
  const incarnation = `${lease?.epoch ?? 0}-${randomUUID().slice(0, 8)}`;
  let numRepeats = 0;

  const publish = async (
    taskId: string,
    { signal, isRepeat = false }: { signal?: AbortSignal; isRepeat?: boolean } = {},
  ) => {
    const entry = open.get(taskId);
    if (!entry) return;
    if (!isRepeat) entry.attempt++;
    await lease?.confirm(signal ? { signal } : {});
    const { attempt } = entry;
    const trace = traces.contextOf(taskId);
    const { traceparent = "" } = trace ? headersFromContext(trace) : {};
    const event = toEvent(entry.task, { runId, attempt, traceparent });
    const repeat = isRepeat ? `/${++numRepeats}` : "";
    const id = `${runId}/${taskId}/${attempt}/${incarnation}${repeat}`;
    const bytes = events.PromptTask.encode(event).finish();
    const more = { ...(trace ? { trace } : {}), ...(signal ? { signal } : {}) };
    await bus.publish(topology.subjects.prompts, bytes, { id, ...more });
  };
  const publishSoon = (taskId: string, isRepeat: boolean) => {
    publish(taskId, { isRepeat }).catch((error: unknown) => {
      logger.error({ err: error, taskId }, "task could not be published again");
    });
  };
  const waiting = () => [...open].flatMap(([taskId, { arrived }]) => (arrived ? [] : [taskId]));
  return {
    add(tasks, problemOf) {
      for (const task of tasks) {
        open.set(task.taskId, { task, problemOf, attempt: 0, arrived: false, failures: [] });
      }
    },
    get: (taskId) => open.get(taskId),
    remove: (taskId) => void open.delete(taskId),
    waiting,
    ask: (taskId, signal) => publish(taskId, { signal }),
    askAgain(taskId, reason) {
      const entry = open.get(taskId);
      if (!entry || entry.attempt >= maxAttempts) return;
      logger.warn({ taskId, attempt: entry.attempt + 1, reason }, "task is published again");
      publishSoon(taskId, false);
    },
    repeatLost() {
      for (const taskId of waiting()) publishSoon(taskId, true);
    },
  };
}
